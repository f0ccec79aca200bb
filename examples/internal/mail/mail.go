// Package mail tells users of unusual sign-ins.
package mail

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/audit"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
)

// Notifier returns a core.Config.Notify that mails a notice to its user, or logs it if
// there is no server or the user has no address.
func Notifier(server *settings.Mail, addressOf func(userID string) string) (func(context.Context, core.Notice) error, error) {
	if server == nil {
		return audit.Notice, nil
	}
	options := []mail.Option{mail.WithPort(server.Port), mail.WithTimeout(10 * time.Second), mail.WithTLSPolicy(mail.TLSMandatory)}
	switch server.TLS {
	case settings.ImplicitTLS:
		options = append(options, mail.WithSSL())
	case settings.LocalTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	}
	if server.User != "" {
		auth := mail.SMTPAuthAutoDiscover
		if server.TLS == settings.LocalTLS { // where without TLS it finds none
			auth = mail.SMTPAuthPlain
		}
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(server.User), mail.WithPassword(server.Password))
	}
	client, err := mail.NewClient(server.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("SMTP_URL: %w", err)
	}
	return func(ctx context.Context, n core.Notice) error {
		to := addressOf(n.UserID)
		if to == "" {
			return audit.Notice(ctx, n)
		}
		m, err := Message(server.From, to, n)
		if err != nil {
			return err
		}
		return client.DialAndSendWithContext(ctx, m)
	}, nil
}

// Message is a notice as plain text. Its headers have nothing in them that a client
// sent. The addresses are those of the app; an error says that one is none.
func Message(from, to string, n core.Notice) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(from); err != nil {
		return nil, fmt.Errorf("whom mail is from: %w", err)
	}
	if err := m.To(to); err != nil {
		return nil, fmt.Errorf("whom mail is to: %w", err)
	}
	m.Subject(subject(n.Outcome))
	m.SetDateWithValue(n.Time)
	m.SetMessageIDWithValue(rand.Text() + from[strings.LastIndexByte(from, '@'):])
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nothing answers it
	m.SetBodyString(mail.TypeTextPlain, text(n))
	return m, nil
}
