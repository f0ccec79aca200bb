package ginauth_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// However Gin writes it, an answer with a token gets its cookies, and whoever is
// around the login sees what it was.
func TestWatchSetsCookies(t *testing.T) {
	fill := func(token string, size int) gin.H {
		return gin.H{"access_token": token, "more": strings.Repeat("x", max(0, size-len(token)-len(`{"access_token":"","more":""}`)))}
	}
	for name, tt := range map[string]struct {
		answer  func(c *gin.Context, token string)
		watched bool
	}{
		"JSON":          {func(c *gin.Context, token string) { c.JSON(201, fill(token, 0)) }, true},
		"indented JSON": {func(c *gin.Context, token string) { c.IndentedJSON(201, fill(token, 0)) }, true},
		"pure JSON":     {func(c *gin.Context, token string) { c.PureJSON(201, fill(token, 0)) }, true},
		"text":          {func(c *gin.Context, token string) { c.String(201, `{"access_token":%q}`, token) }, true},
		"bytes":         {func(c *gin.Context, token string) { c.Data(201, "a/b", []byte(`{"access_token":"`+token+`"}`)) }, true},
		"pieces": {func(c *gin.Context, token string) {
			c.Status(201)
			c.Writer.WriteHeaderNow()
			c.Writer.WriteString(`{"access_token":"`)
			c.Writer.Write([]byte(token + `"}`))
		}, true},
		"an encoder":        {func(c *gin.Context, token string) { c.Status(201); json.NewEncoder(c.Writer).Encode(fill(token, 0)) }, true},
		"abort":             {func(c *gin.Context, token string) { c.AbortWithStatusJSON(201, fill(token, 0)) }, true},
		"as long as may be": {func(c *gin.Context, token string) { c.JSON(201, fill(token, core.LoginAnswerMax)) }, true},
		"a byte longer":     {func(c *gin.Context, token string) { c.JSON(201, fill(token, core.LoginAnswerMax+1)) }, false},
		"flushed": {func(c *gin.Context, token string) {
			c.Status(201)
			c.Writer.Flush()
			c.JSON(-1, fill(token, 0))
		}, false},
		"streamed": {func(c *gin.Context, token string) {
			c.Status(201)
			c.Stream(func(w io.Writer) bool { fmt.Fprintf(w, `{"access_token":%q}`, token); return false })
		}, false},
		"compressed": {func(c *gin.Context, token string) { c.Data(201, "application/json", []byte("\x1f\x8b"+token)) }, false},
		"refused":    {func(c *gin.Context, token string) { c.Status(400); c.JSON(-1, fill(token, 0)) }, false},
	} {
		s := newSite(t, nil)
		var token string
		var around string
		s.Use(func(c *gin.Context) {
			c.Next()
			around = fmt.Sprint(c.Writer.Status(), c.Writer.Size(), c.Writer.Written())
		})
		s.POST("/login", ginauth.Watch(s.auth), func(c *gin.Context) {
			c.SetCookie("own", "1", 0, "/", "", false, false)
			token = s.signIn("alice").AccessToken
			tt.answer(c, token)
		})
		a := s.ask("POST", "/login", "")
		s.server.Close()
		if !strings.Contains(a.body, token) || a.cookie("own") != "1" {
			t.Errorf("%s: got %d %v %.300s", name, a.status, a.header, a.body)
		}
		if want := fmt.Sprint(a.status, len(a.body), true); around != want {
			t.Errorf("%s: around the login: got %s, want %s", name, around, want)
		}
		if got := a.cookie("refresh_token") != ""; got != tt.watched {
			t.Errorf("%s: a refresh cookie: got %t, want %t", name, got, tt.watched)
		}
		if cache := a.header.Get("Cache-Control"); tt.watched && (cache != "no-store" || a.status != 201) {
			t.Errorf("%s: got %d, Cache-Control %q, want 201 and no-store", name, a.status, cache)
		}
	}
}

// A watched login that is refused, before it ran or after, ends the chain there for
// good; what the handler answered is not sent.
func TestWatchRefuses(t *testing.T) {
	s := newSite(t, nil)
	var ran, around []string
	s.Use(func(c *gin.Context) {
		c.Header("X-Outer", "1")
		before := c.Writer
		c.Next()
		around = append(around, fmt.Sprint(c.IsAborted(), c.Writer.Status(), c.Writer.Size() > 0, c.Writer == before))
	})
	s.POST("/login", ginauth.Watch(s.auth), func(*gin.Context) {
		ran = append(ran, "first")
	}, func(c *gin.Context) {
		ran = append(ran, "second")
		pair := s.signIn("alice")
		c.Header("X-Own", "1")
		c.JSON(200, gin.H{"access_token": pair.AccessToken})
		if err := s.auth.Revoke(c.Request.Context(), "alice", pair.Session.ID, core.ReasonRevoked); err != nil {
			t.Error(err)
		}
	})
	foreign := s.ask("POST", "/login", "", "Origin: https://elsewhere.example")
	ended := s.ask("POST", "/login", "")
	s.server.Close()
	if foreign.status != 403 || foreign.code() != "CROSS_SITE" || foreign.header.Get("X-Outer") != "1" {
		t.Errorf("from another site: got %d %v %s", foreign.status, foreign.header, foreign.body)
	}
	if ended.status != 401 || ended.code() != "SESSION_ENDED" || ended.header.Get("X-Outer") != "1" || ended.header.Get("X-Own") != "" {
		t.Errorf("of a session that ended: got %d %v %s", ended.status, ended.header, ended.body)
	}
	if got, want := fmt.Sprint(ran), "[first second]"; got != want {
		t.Errorf("what ran: got %s, want %s: the second time alone", got, want)
	}
	if got, want := fmt.Sprint(around), "[true 403 true true false 401 true true]"; got != want {
		t.Errorf("around the login: got %s, want %s", got, want)
	}
}

// An app that shapes refusals without a body has them sent as well.
func TestWatchRefusesWithoutBody(t *testing.T) {
	s := newSite(t, func(c *core.Config) {
		c.Problem = func(core.Error) (string, []byte) { return "text/plain", nil }
	})
	s.Use(func(c *gin.Context) {
		c.Next()
		if !c.Writer.Written() {
			c.String(200, "nobody answered")
		}
	})
	s.POST("/login", ginauth.Watch(s.auth), func(c *gin.Context) { c.String(200, "in") })
	if a := s.ask("POST", "/login", "", "Origin: https://elsewhere.example"); a.status != 403 || a.body != "" {
		t.Errorf("got %d %q, want 403 and nothing", a.status, a.body)
	}
}

// A panic drops what was held back. The middleware around gets its writer back, and
// so Recovery can answer, inside of Watch or outside.
func TestWatchPanics(t *testing.T) {
	for _, inside := range []bool{false, true} {
		s := newSite(t, nil)
		recovery := gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, err any) { c.AbortWithStatusJSON(500, gin.H{"lost": err}) })
		var restored bool
		s.Use(func(c *gin.Context) {
			before := c.Writer
			c.Next()
			restored = c.Writer == before
		})
		chain := []gin.HandlerFunc{recovery, ginauth.Watch(s.auth)}
		if inside {
			chain[0], chain[1] = chain[1], chain[0]
		}
		s.POST("/login", append(chain, func(c *gin.Context) {
			s.signIn("alice")
			if !inside {
				c.JSON(200, gin.H{"access_token": s.signIn("alice").AccessToken})
			}
			panic("door")
		})...)
		a := s.ask("POST", "/login", "")
		s.server.Close()
		if want := `{"lost":"door"}`; a.status != 500 || a.body != want || a.cookie("refresh_token") != "" {
			t.Errorf("Recovery inside %t: got %d %v %s, want 500 %s", inside, a.status, a.header, a.body, want)
		}
		if !restored {
			t.Errorf("Recovery inside %t: c.Writer was not given back", inside)
		}
	}
}

// What is flushed is not held back: the client has it while the handler goes on.
func TestWatchStreams(t *testing.T) {
	s := newSite(t, nil)
	next := make(chan string)
	s.POST("/login", ginauth.Watch(s.auth), func(c *gin.Context) {
		c.Stream(func(io.Writer) bool {
			piece, more := <-next
			if more {
				c.SSEvent("piece", piece)
			}
			return more
		})
	})
	s.serve()
	answered := make(chan *http.Response)
	go func() { answered <- s.send("POST", "/login", "") }()
	next <- "0" // the first one sends the header
	out := <-answered
	defer out.Body.Close()
	lines := bufio.NewScanner(out.Body)
	for i := range 4 {
		if i > 0 {
			next <- fmt.Sprint(i)
		}
		for _, want := range []string{"event:piece", fmt.Sprint("data:", i), ""} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("piece %d: got %q (%v), want %q", i, lines.Text(), lines.Err(), want)
			}
		}
	}
	close(next)
	if lines.Scan() {
		t.Errorf("after the last one: got %q", lines.Text())
	}
}

// A connection may be taken over behind Watch, by those who write the answer to the
// upgrade themselves and by those who have it written.
func TestWatchHijack(t *testing.T) {
	for _, byGin := range []bool{false, true} {
		for _, watched := range []bool{false, true} {
			s := newSite(t, nil)
			around := make(chan string, 1)
			s.Use(func(c *gin.Context) {
				c.Next()
				around <- fmt.Sprint(c.Writer.Size(), c.Writer.Written())
			})
			watch := func(*gin.Context) {}
			if watched {
				watch = ginauth.Watch(s.auth)
			}
			s.GET("/echo", watch, func(c *gin.Context) {
				if byGin {
					c.Header("Upgrade", "echo")
					c.Header("Connection", "Upgrade")
					c.Status(http.StatusSwitchingProtocols)
					c.Writer.WriteHeaderNow()
				}
				conn, buf, err := c.Writer.Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				if !byGin {
					io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
				}
				if w := c.Writer; !w.Written() || w.Size() != 0 {
					t.Errorf("watched %t: after Hijack: got size %d, written %t, want 0, true", watched, w.Size(), w.Written())
				}
				line, err := buf.ReadString('\n')
				fmt.Fprintf(conn, "%s%v\n", strings.ToUpper(line), err)
			})
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.serve().URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second)) // of a server that does not answer
			io.WriteString(conn, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			in := bufio.NewReader(conn)
			answer, err := http.ReadResponse(in, nil)
			if err != nil || answer.StatusCode != 101 || answer.Header.Get("Upgrade") != "echo" {
				t.Errorf("by Gin %t, watched %t: got %v, %v, want 101", byGin, watched, answer, err)
				conn.Close()
				continue
			}
			io.WriteString(conn, "hello\n")
			rest, err := io.ReadAll(in)
			if string(rest) != "HELLO\n<nil>\n" || err != nil {
				t.Errorf("by Gin %t, watched %t: got %q, %v", byGin, watched, rest, err)
			}
			conn.Close()
			s.server.Close()
			if got, want := <-around, "0 true"; got != want {
				t.Errorf("by Gin %t, watched %t: around it: got %s, want %s", byGin, watched, got, want)
			}
		}
	}
}
