package mail_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/mail"
	"github.com/sallyport-go/sallyport/examples/internal/mailtest"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
)

const from, to = "auth@example.com", "alice@example.com"

// notice is one in which a client, or whoever made a database of places, chose text.
func notice(chosen string) core.Notice {
	return core.Notice{
		Time:    time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("east", 3600)),
		UserID:  "alice",
		Outcome: core.EventSignedIn,
		Session: core.Session{
			Device:    core.Device{ID: chosen, Name: chosen, Browser: chosen, OS: chosen, ClientType: chosen},
			IP:        "2001:db8::7",
			UserAgent: chosen,
			Location:  core.Location{City: chosen, Country: "IS"},
			Risk: core.Risk{Score: 35, Reasons: []core.RiskReason{
				{Code: core.RiskNewDevice, Points: 25, Detail: "a device that the user was not seen on before"},
				{Code: core.RiskNewCity, Points: 10, Detail: "a city that the user was not seen in before: " + chosen},
			}},
		},
	}
}

// written is the message as it is sent.
func written(t *testing.T, n core.Notice) []byte {
	t.Helper()
	m, err := mail.Message(from, to, n)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := m.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read parses a message and returns its headers and its text.
func read(t *testing.T, raw []byte) (netmail.Header, string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v:\n%s", err, raw)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, strings.ReplaceAll(string(body), "\r\n", "\n")
}

const ending = "\nIf it was you, there is nothing to do. If not, change your password: that ends\nevery other session.\n"

func TestMessage(t *testing.T) {
	header, text := read(t, written(t, notice("St. John's")))
	want := map[string][]string{
		"From":                      {"<auth@example.com>"},
		"To":                        {"<alice@example.com>"},
		"Subject":                   {"New sign-in to your account"},
		"Date":                      {"Wed, 04 Mar 2026 05:06:07 +0100"},
		"Message-Id":                header["Message-Id"],
		"Auto-Submitted":            {"auto-generated"},
		"Mime-Version":              {"1.0"},
		"Content-Type":              {"text/plain; charset=UTF-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	}
	if diff := cmp.Diff(want, map[string][]string(header)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if id := header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || header.Get("Message-Id") == read0(t) {
		t.Errorf("Message-ID %q: want one of its own", id)
	}
	wantText := `New sign-in to your account.

Account: alice
Time:    4 March 2026, 04:06 UTC
Device:  St. John's
Program: St. John's St. John's
Address: 2001:db8::7
Place:   St. John's, IS
Score:   35 of 100
Why:     a device that the user was not seen on before
Why:     a city that the user was not seen in before St. John's
` + ending
	if diff := cmp.Diff(wantText, text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// read0 returns the id of another message.
func read0(t *testing.T) string {
	header, _ := read(t, written(t, notice("")))
	return header.Get("Message-Id")
}

// Whatever a client calls itself, a message has the same headers and the same lines,
// and nothing in it that is more than words.
func TestHostile(t *testing.T) {
	header, text := read(t, written(t, notice("plain")))
	headers, lines := slices.Sorted(maps.Keys(header)), strings.Count(text, "\n")
	for _, chosen := range []string{
		"",
		"a\r\nBcc: eve@evil.example\r\n\r\nowned",
		"a\nSubject: owned",
		"a\rX: y",
		"\r\n.\r\nMAIL FROM:<eve@evil.example>",
		".",
		"\n.\n",
		"\u2028Account: eve\u2029\u0085\v\f",
		"\u202egpj.exe\u2066\u2069\u200b\ufeff\u00ad",
		"=?utf-8?q?=0d=0aBcc:_eve@evil.example?=",
		"=0D=0ABcc: eve",
		"<script>alert(1)</script><a href=\"https://evil.example\">x</a>",
		"call us: https://evil.example/?a=b&c or //evil.example, mailto:eve@evil.example www.evil.example",
		"\x00\x1b[31m\x7f",
		"\xff\xfe\xc3",
		"\U000e0041\U000e007f", // tags
		strings.Repeat("long", 10_000),
		strings.Repeat("a\u0300", 10_000),
		strings.Repeat("日本語", 1000),
	} {
		n := notice(chosen)
		n.UserID = "alice" + chosen
		for _, ip := range []string{"192.0.2.1", "fe80::1%" + chosen, chosen} {
			n.Session.IP = ip
			raw := written(t, n)
			header, text := read(t, raw)
			if got := slices.Sorted(maps.Keys(header)); !slices.Equal(got, headers) {
				t.Errorf("%.40q: headers %v, want %v", chosen, got, headers)
			}
			for name, values := range header {
				if len(values) != 1 {
					t.Errorf("%.40q: %s is there %d times", chosen, name, len(values))
				}
			}
			if list, err := header.AddressList("To"); err != nil || len(list) != 1 || list[0].Address != to {
				t.Errorf("%.40q: to %v, %v, want %s alone", chosen, list, err, to)
			}
			if got := strings.Count(text, "\n"); got != lines || !strings.HasSuffix(text, ending) {
				t.Errorf("%.40q: %d lines, want %d, and the same at the end:\n%s", chosen, got, lines, text)
			}
			for line := range strings.Lines(text) {
				if n := len([]rune(line)); n > 80 {
					t.Errorf("%.40q: a line of %d characters: %s", chosen, n, line)
				}
			}
			for _, bad := range []string{"evil.example", "//", "@", "<", ">", "=", "&"} {
				if strings.Contains(text, bad) {
					t.Errorf("%.40q: %q is in the text:\n%s", chosen, bad, text)
				}
			}
			odd := func(r rune) bool { return r != '\n' && (!unicode.IsPrint(r) || unicode.Is(unicode.Cf, r)) }
			if i := strings.IndexFunc(text, odd); i >= 0 {
				t.Errorf("%.40q: %q is in the text", chosen, text[i:min(len(text), i+4)])
			}
			for line := range bytes.Lines(raw) {
				if len(line) > 1000 || !bytes.HasSuffix(line, []byte("\r\n")) || bytes.ContainsAny(line[:len(line)-2], "\r") {
					t.Errorf("%.40q: a line that SMTP does not know: %q", chosen, line)
				}
			}
		}
	}
}

// What happened is said in the subject.
func TestOutcomes(t *testing.T) {
	seen := make(map[string]core.EventName)
	for _, outcome := range []core.EventName{core.EventSignedIn, core.EventStepUpRequired, core.EventRiskDenied, core.EventRiskRaised} {
		n := notice("phone")
		n.Outcome = outcome
		header, _ := read(t, written(t, n))
		if other, twice := seen[header.Get("Subject")]; twice {
			t.Errorf("%s and %s have one subject", outcome, other)
		}
		seen[header.Get("Subject")] = outcome
	}
}

// An address that is none has nothing sent.
func TestMessageAddresses(t *testing.T) {
	for _, tt := range []struct{ from, to string }{
		{"", to}, {from, ""}, {from, "alice"}, {from, "alice@example.com\r\nBcc: eve@evil.example"}, {from, "alice@example.com, eve@evil.example"},
	} {
		if _, err := mail.Message(tt.from, tt.to, notice("phone")); err == nil {
			t.Errorf("from %q to %q: no error", tt.from, tt.to)
		}
	}
}

func TestNotifier(t *testing.T) {
	server := mailtest.Start(t)
	at := netip.MustParseAddrPort(server.Addr)
	secret := rand.Text()
	notify, err := mail.Notifier(&settings.Mail{
		Host: at.Addr().String(), Port: int(at.Port()), User: "app", Password: secret, TLS: settings.LocalTLS, From: from,
	}, func(id string) string { return map[string]string{"alice": to}[id] })
	if err != nil {
		t.Fatal(err)
	}
	chosen := "a\r\n.\r\nRCPT TO:<eve@evil.example>"
	if err := notify(t.Context(), notice(chosen)); err != nil {
		t.Fatal(err)
	}
	got := server.Next(t)
	auth, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(got.Auth, "PLAIN "))
	if string(auth) != "\x00app\x00"+secret {
		t.Errorf("signed in as %q", auth)
	}
	if !strings.HasPrefix(got.From, "FROM:<"+from+">") || !slices.Equal(got.To, []string{"TO:<" + to + ">"}) {
		t.Errorf("%s %v", got.From, got.To)
	}
	if _, text := read(t, []byte(got.Data)); !strings.Contains(text, "Device:  a RCPT TO eve evil example\n") {
		t.Errorf("got\n%s", text)
	}

	n := notice("phone")
	n.UserID = "nobody" // is logged
	if err := notify(t.Context(), n); err != nil || server.Waiting() > 0 {
		t.Errorf("a user without an address: got %v and %d mails", err, server.Waiting())
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := notify(done, notice("phone")); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is to stop: got %v", err)
	}
}

// Beyond this machine nothing is sent in the clear.
func TestNotifierTLS(t *testing.T) {
	server := mailtest.Start(t)
	at := netip.MustParseAddrPort(server.Addr)
	for _, tls := range []settings.TLS{settings.STARTTLS, settings.ImplicitTLS} {
		notify, err := mail.Notifier(&settings.Mail{Host: at.Addr().String(), Port: int(at.Port()), TLS: tls, From: from}, func(string) string { return to })
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := notify(ctx, notice("phone")); err == nil || ctx.Err() != nil || server.Waiting() > 0 {
			t.Errorf("TLS %d: got %v and %d mails, want an error", tls, err, server.Waiting())
		}
		cancel()
	}
}

// Without a server a notice is logged, and that is no failure.
func TestNotifierWithoutServer(t *testing.T) {
	notify, err := mail.Notifier(nil, func(string) string { return to })
	if err != nil || notify(t.Context(), notice("phone")) != nil {
		t.Errorf("got %v", err)
	}
}
