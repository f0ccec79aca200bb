package fiberauth_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// zip compresses a text.
func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// watched serves a login below Watch, and says what comes of it.
func watched(t *testing.T, before []fiber.Handler, login func(s *site, c *fiber.Ctx) error) (*site, answer) {
	t.Helper()
	s := newSite(t, fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		return c.Status(500).SendString("the app says " + err.Error())
	}}, func(s *site) {
		s.app.Use(func(c *fiber.Ctx) error {
			c.Set("X-Before", "stays")
			c.Cookie(&fiber.Cookie{Name: "before", Value: "1"})
			return c.Next()
		})
		s.app.Post("/login", append(before, fiberauth.Watch(s.auth), func(c *fiber.Ctx) error {
			c.Set("X-Theirs", "1")
			c.Set("Cache-Control", "max-age=60")
			c.Cookie(&fiber.Cookie{Name: "theirs", Value: "1"})
			return login(s, c)
		})...)
	})
	return s, s.ask(wire("POST", "/login", "{}", isJSON))
}

// cookies returns the names of the cookies that an answer sets.
func (a answer) cookies() string {
	var names []string
	for _, line := range a.header.Values("Set-Cookie") {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

const (
	theirs = "before theirs"
	ours   = theirs + " __Secure-refresh_token __Secure-device"
)

// An answer with a token gets the cookies, in whatever way of Fiber's it was
// made; one that streams, is long, or is an error passes.
func TestWatchAnswers(t *testing.T) {
	answerOf := func(s *site) string { return fmt.Sprintf(`{"access_token":%q}`, s.signIn("alice").AccessToken) }
	long := func(s *site, size int) string {
		body := answerOf(s)
		return body + strings.Repeat(" ", size-len(body))
	}
	for name, tt := range map[string]struct {
		login   func(s *site, c *fiber.Ctx) error
		status  int
		cookies string
	}{
		"c.JSON": {func(s *site, c *fiber.Ctx) error {
			return c.JSON(fiber.Map{"access_token": s.signIn("alice").AccessToken})
		}, 200, ours},
		"c.Status": {func(s *site, c *fiber.Ctx) error { return c.Status(201).SendString(answerOf(s)) }, 201, ours},
		"c.Write, in pieces": {func(s *site, c *fiber.Ctx) error {
			for piece := range strings.SplitSeq(answerOf(s), "") {
				if _, err := c.WriteString(piece); err != nil {
					return err
				}
			}
			return nil
		}, 200, ours},
		"a raw body": {func(s *site, c *fiber.Ctx) error {
			c.Response().SetBodyRaw([]byte(answerOf(s)))
			return nil
		}, 200, ours},
		"the library's": {func(s *site, c *fiber.Ctx) error {
			return fiberauth.Write(c, core.Response{Status: 200, Body: []byte(answerOf(s))})
		}, 200, ours},
		"SendStream": {func(s *site, c *fiber.Ctx) error { return c.SendStream(strings.NewReader(answerOf(s))) }, 200, theirs},
		"SetBodyStreamWriter": {func(s *site, c *fiber.Ctx) error {
			body := answerOf(s)
			c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { _, _ = w.WriteString(body) })
			return nil
		}, 200, theirs},
		"as long as may be": {func(s *site, c *fiber.Ctx) error { return c.SendString(long(s, core.LoginAnswerMax)) }, 200, ours},
		"longer":            {func(s *site, c *fiber.Ctx) error { return c.SendString(long(s, core.LoginAnswerMax+1)) }, 200, theirs},
		"a failed login":    {func(s *site, c *fiber.Ctx) error { return c.Status(401).SendString(answerOf(s)) }, 401, theirs},
		"an error": {func(s *site, c *fiber.Ctx) error {
			if err := c.SendString(answerOf(s)); err != nil {
				return err
			}
			return errors.New("no")
		}, 500, theirs},
		"no token": {func(_ *site, c *fiber.Ctx) error { return c.SendString("hello") }, 200, theirs},
		"nothing":  {func(*site, *fiber.Ctx) error { return nil }, 200, theirs},
	} {
		var body string
		_, a := watched(t, nil, func(s *site, c *fiber.Ctx) error {
			err := tt.login(s, c)
			if err != nil {
				body = "the app says " + err.Error()
			} else if !c.Response().IsBodyStream() {
				body = string(c.Response().Body())
			}
			return err
		})
		if a.status != tt.status || a.cookies() != tt.cookies || a.header.Get("X-Before") != "stays" || a.header.Get("X-Theirs") != "1" {
			t.Errorf("%s: got %d %v, want %d with cookies %s", name, a.status, a.header, tt.status, tt.cookies)
		}
		cache := "max-age=60"
		if tt.cookies == ours {
			cache = "no-store"
		}
		if got := a.header.Values("Cache-Control"); len(got) != 1 || got[0] != cache {
			t.Errorf("%s: Cache-Control: got %v, want %s", name, got, cache)
		}
		if body != "" && a.body != body || body == "" && name != "nothing" && !strings.HasPrefix(a.body, `{"access_token":`) {
			t.Errorf("%s: got %.100q, want %.100q", name, a.body, body)
		}
	}
}

// When the session can't be had nothing is left of what the handler answered, and
// all that was there before is.
func TestWatchRefusal(t *testing.T) {
	for name, write := range map[string]func(c *fiber.Ctx, body []byte) error{
		"c.Send": func(c *fiber.Ctx, body []byte) error { return c.Status(201).Send(body) },
		"a raw body": func(c *fiber.Ctx, body []byte) error {
			c.Response().SetBodyRaw(body)
			return nil
		},
	} {
		_, a := watched(t, nil, func(s *site, c *fiber.Ctx) error {
			token := s.signIn("alice").AccessToken
			if _, err := s.auth.RevokeAll(c.UserContext(), "alice", core.ReasonRevoked); err != nil {
				t.Error(err)
			}
			c.Response().Header.Del("X-Before")
			c.Response().Header.DelAllCookies()
			c.Response().Header.SetServer("theirs")
			c.Set("Content-Encoding", "theirs")
			c.Set("X-Before-Not", "1")
			return write(c, []byte(fmt.Sprintf(`{"access_token":%q}`, token)))
		})
		if a.status != 401 || a.code() != "SESSION_ENDED" || strings.Contains(a.body, "access_token") || a.cookies() != "before" ||
			a.header.Get("X-Before") != "stays" || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %v, want SESSION_ENDED with what was there before", name, a)
		}
		for _, gone := range []string{"X-Theirs", "X-Before-Not", "Content-Encoding", "Server"} {
			if got := a.header.Values(gone); got != nil {
				t.Errorf("%s: %s: got %v, want none", name, gone, got)
			}
		}
	}
}

// Outside of Watch an answer may be compressed; what is compressed inside is no
// JSON, and passes.
func TestWatchCompressed(t *testing.T) {
	login := func(s *site, c *fiber.Ctx) error {
		c.Request().Header.Set("Accept-Encoding", "gzip")
		return c.JSON(fiber.Map{"access_token": s.signIn("alice").AccessToken, "more": strings.Repeat("x", 2000)})
	}
	inside := func(s *site, c *fiber.Ctx) error {
		if err := login(s, c); err != nil {
			return err
		}
		body := zip(t, string(c.Response().Body()))
		c.Set("Content-Encoding", "gzip")
		return c.SendString(body)
	}
	for name, tt := range map[string]struct {
		before  []fiber.Handler
		login   func(s *site, c *fiber.Ctx) error
		cookies string
	}{
		"outside": {[]fiber.Handler{compress.New()}, login, ours},
		"inside":  {nil, inside, theirs},
	} {
		_, a := watched(t, tt.before, tt.login)
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatalf("%s: %v in %v", name, err, a)
		}
		body, err := io.ReadAll(z)
		if err != nil || a.status != 200 || a.cookies() != tt.cookies || a.header.Get("Content-Encoding") != "gzip" || !bytes.HasPrefix(body, []byte(`{"access_token":`)) {
			t.Errorf("%s: got %d %v %.40s, error %v, want cookies %s", name, a.status, a.header, body, err, tt.cookies)
		}
	}
}

// A handler that panics signs nobody in; whoever recovers answers.
func TestWatchPanic(t *testing.T) {
	s, a := watched(t, []fiber.Handler{recover.New()}, func(s *site, c *fiber.Ctx) error {
		if err := c.SendString(fmt.Sprintf(`{"access_token":%q}`, s.signIn("alice").AccessToken)); err != nil {
			return err
		}
		panic("their bug")
	})
	if a.status != 500 || a.body != "the app says their bug" || a.cookies() != theirs {
		t.Errorf("got %v, want the app's own answer", a)
	}
	if again := s.ask(wire("GET", "/auth/sessions", "")); again.status != 401 {
		t.Errorf("afterwards: got %v, want 401", again)
	}
}
