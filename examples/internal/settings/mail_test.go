package settings_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/examples/internal/settings"
)

const from = "auth@example.com"

func TestMail(t *testing.T) {
	secret := rand.Text()
	for _, tt := range []struct {
		rule, url string
		want      settings.Mail
	}{
		{"a user and a port", "smtp://app:" + secret + "@mail.example.com:2525", settings.Mail{Host: "mail.example.com", Port: 2525, User: "app", Password: secret}},
		{"STARTTLS has a port", "smtp://mail.example.com", settings.Mail{Host: "mail.example.com", Port: 587}},
		{"TLS has another", "smtps://mail.example.com/", settings.Mail{Host: "mail.example.com", Port: 465, TLS: settings.ImplicitTLS}},
		{"on this machine TLS is not a must", "smtp://127.0.0.1:1025", settings.Mail{Host: "127.0.0.1", Port: 1025, TLS: settings.LocalTLS}},
		{"likewise", "smtp://[::1]:1025", settings.Mail{Host: "::1", Port: 1025, TLS: settings.LocalTLS}},
		{"unless it is asked for", "smtps://localhost:1465", settings.Mail{Host: "localhost", Port: 1465, TLS: settings.ImplicitTLS}},
		{"a user may be an address", "smtp://app%40example.com:a%2Fb%3F@mail.example.com", settings.Mail{Host: "mail.example.com", Port: 587, User: "app@example.com", Password: "a/b?"}},
	} {
		s, err := read(map[string]string{"SMTP_URL": tt.url, "MAIL_FROM": from})
		if err != nil || s.Mail == nil {
			t.Errorf("%s: %s: got %v, %v", tt.rule, tt.url, s.Mail, err)
			continue
		}
		tt.want.From = from
		if diff := cmp.Diff(tt.want, *s.Mail); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.rule, tt.url, diff)
		}
	}
}

// A mistake is one line that names the setting and shows nothing of the password.
func TestMailWrong(t *testing.T) {
	secret := rand.Text()
	for _, url := range []string{
		"mail.example.com:25", "http://mail.example.com", "smtp://", "smtp://:25", "smtp://app@mail.example.com", "smtp://:" + secret + "@mail.example.com",
		"smtp://app:" + secret + "@mail.example.com:0", "smtp://app:" + secret + "@mail.example.com:65536", "smtp://app:" + secret + "@mail.example.com:smtp",
		"smtp://app:" + secret + "/x@mail.example.com", "smtp://app:%zz" + secret + "@mail.example.com", "smtp://mail.example.com/" + secret, "smtp://mail.example.com?auth=" + secret,
	} {
		_, err := read(map[string]string{"SMTP_URL": url, "MAIL_FROM": from})
		if err == nil || !strings.HasPrefix(err.Error(), "SMTP_URL: ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want one line that names the setting and no more", url, err)
		}
	}
	if _, err := read(map[string]string{"SMTP_URL": "smtp://mail.example.com"}); err == nil || !strings.HasPrefix(err.Error(), "MAIL_FROM: ") {
		t.Errorf("from nobody: got %v, want a line that names MAIL_FROM", err)
	}
}
