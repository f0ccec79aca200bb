package settings

import (
	"errors"
	"math"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// Mail is the server that mail is handed to.
type Mail struct {
	Host     string
	Port     int
	User     string // "": the server asks for none
	Password string
	TLS      TLS
	From     string // an address alone
}

// TLS says when what is handed over is encrypted.
type TLS int

const (
	STARTTLS    TLS = iota // always, or nothing is sent
	ImplicitTLS            // from the first byte on
	LocalTLS               // if the server offers it: it is on this machine
)

// As with Redis no error shows a part of what was set.
var (
	errMailForm     = errors.New("it begins with neither smtp:// nor smtps://")
	errMailURL      = errors.New("write smtp://user:password@host:port; in a user and a password / is written %2F, ? %3F, # %23, @ %40 and % %25")
	errMailPassword = errors.New("a user without a password: write user:password@")
	errMailFrom     = errors.New("it is no address such as sallyport@example.com")
	errMailNobody   = errors.New("SMTP_URL needs an address that mail is from, such as sallyport@example.com")
)

// mail reads where mail is handed to, and whom it is from; nil: it is not set.
//
//	smtp://user:password@host:port    with STARTTLS, but on loopback only if it is offered
//	smtps://user:password@host:port   with TLS
//
// The port is 587, or 465 with smtps, unless it says another.
func (r *reader) mail(server, from string) *Mail {
	address := r.getenv(from)
	if address != "" {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address {
			r.wrong(from, "%v", errMailFrom)
		}
	}
	text := r.getenv(server)
	if text == "" {
		return nil
	}
	m, err := mailServer(text)
	if err != nil {
		r.wrong(server, "%v", err)
		return nil
	}
	if address == "" {
		r.wrong(from, "%v", errMailNobody)
	}
	m.From = address
	return m
}

func mailServer(text string) (*Mail, error) {
	scheme, _, _ := strings.Cut(text, "://")
	m := &Mail{Port: 587}
	switch strings.ToLower(scheme) {
	case "smtp":
	case "smtps":
		m.Port, m.TLS = 465, ImplicitTLS
	default:
		return nil, errMailForm
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errMailURL
	}
	m.Host, m.User = u.Hostname(), u.User.Username()
	m.Password, _ = u.User.Password()
	if (m.User == "") != (m.Password == "") {
		return nil, errMailPassword
	}
	if port := u.Port(); port != "" {
		if m.Port, err = strconv.Atoi(port); err != nil || m.Port < 1 || m.Port > math.MaxUint16 {
			return nil, errMailURL
		}
	}
	if m.TLS == STARTTLS && loopback(net.JoinHostPort(m.Host, "0")) {
		m.TLS = LocalTLS
	}
	return m, nil
}
