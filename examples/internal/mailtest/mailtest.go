// Package mailtest has a mail server for tests.
package mailtest

import (
	"context"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// Mail is what a server was handed.
type Mail struct {
	Auth string // what followed AUTH
	From string // as it followed MAIL FROM:, likewise below
	To   []string
	Data string // with "\n" at the ends of lines
}

// Server is an SMTP server (RFC 5321) on this machine that takes all that it is handed
// and delivers nothing.
type Server struct {
	Addr string
	mail <-chan Mail
}

// Next waits for a mail, for a minute at most, and returns it.
func (s *Server) Next(t testing.TB) Mail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case m := <-s.mail:
		return m
	case <-ctx.Done():
		t.Fatal("no mail")
		return Mail{}
	}
}

// Waiting is how many mails nobody has asked for.
func (s *Server) Waiting() int { return len(s.mail) }

// Start starts a server, until the test has ended.
func Start(t testing.TB) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := make(chan Mail, 64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(textproto.NewConn(conn), taken)
		}
	}()
	return &Server{l.Addr().String(), taken}
}

func serve(c *textproto.Conn, taken chan<- Mail) {
	defer c.Close()
	var m Mail
	say := func(lines ...string) bool { return c.PrintfLine("%s", strings.Join(lines, "\r\n")) == nil }
	for going := say("220 mail.test"); going; {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			going = say("250-mail.test", "250-8BITMIME", "250 AUTH PLAIN")
		case "AUTH":
			m.Auth = rest
			going = say("235 welcome")
		case "MAIL":
			m.From, m.To = rest, nil
			going = say("250 ok")
		case "RCPT":
			m.To = append(m.To, rest)
			going = say("250 ok")
		case "DATA":
			if !say("354 go on") {
				return
			}
			data, err := c.ReadDotBytes()
			if err != nil {
				return
			}
			m.Data = string(data)
			taken <- m
			going = say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			going = say("250 ok")
		}
	}
}
