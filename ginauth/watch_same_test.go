package ginauth_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// answers are the ways in which a handler on Gin may answer. Each notes what
// c.Writer says of itself on the way.
var answers = map[string]func(c *gin.Context, note func()){
	"nothing":               func(*gin.Context, func()) {},
	"a status":              func(c *gin.Context, note func()) { c.Status(201); note(); c.Status(202); note() },
	"no content":            func(c *gin.Context, _ func()) { c.Status(204) },
	"a status and a header": func(c *gin.Context, _ func()) { c.Header("X-Own", "1"); c.Status(404) },
	"header written": func(c *gin.Context, note func()) {
		c.Status(201)
		c.Writer.WriteHeaderNow()
		note()
		c.Status(500)
		note()
	},
	"header written, and more of it": func(c *gin.Context, _ func()) {
		c.Writer.WriteHeaderNow()
		c.Header("X-Late", "1")
		c.String(500, "late")
	},
	"no status":               func(c *gin.Context, note func()) { c.Status(-1); note(); c.Writer.WriteHeader(0); note() },
	"JSON":                    func(c *gin.Context, note func()) { c.JSON(200, gin.H{"a": 1}); note() },
	"JSON of another status":  func(c *gin.Context, note func()) { c.JSON(422, gin.H{"a": 1}); note() },
	"JSON, the status before": func(c *gin.Context, note func()) { c.Status(201); c.JSON(-1, gin.H{"a": 1}); note() },
	"JSON without a body":     func(c *gin.Context, note func()) { c.JSON(204, gin.H{"a": 1}); note() },
	"JSON that is not":        func(c *gin.Context, note func()) { c.JSON(200, func() {}); note() },
	"JSON twice":              func(c *gin.Context, note func()) { c.JSON(200, 1); c.JSON(201, 2); note() },
	"text":                    func(c *gin.Context, note func()) { c.String(200, "a %d", 1); note() },
	"text by WriteString": func(c *gin.Context, note func()) {
		c.Writer.WriteString("a")
		note()
		c.Writer.WriteString("bc")
		note()
	},
	"text by io.WriteString": func(c *gin.Context, note func()) { io.WriteString(c.Writer, "abc"); note() },
	"empty text":             func(c *gin.Context, note func()) { c.String(200, ""); note() },
	"empty pieces":           func(c *gin.Context, note func()) { c.Writer.Write(nil); note(); c.Writer.Write([]byte{}); note() },
	"bytes":                  func(c *gin.Context, note func()) { c.Data(200, "application/x", []byte{0, 1, 255}); note() },
	"bytes without a type":   func(c *gin.Context, _ func()) { c.Writer.Write([]byte("<html><body>")) },
	"from a reader":          func(c *gin.Context, _ func()) { c.DataFromReader(200, 3, "text/x", strings.NewReader("abc"), nil) },
	"a redirect":             func(c *gin.Context, note func()) { c.Redirect(303, "/home"); note() },
	"cookies":                func(c *gin.Context, _ func()) { c.SetCookie("own", "1", 60, "/", "", true, true); c.Status(200) },
	"a file":                 func(c *gin.Context, note func()) { c.File(filepath.Join("testdata", "page.html")); note() },
	"no such file":           func(c *gin.Context, note func()) { c.File(filepath.Join("testdata", "none")); note() },
	"an attachment":          func(c *gin.Context, _ func()) { c.FileAttachment(filepath.Join("testdata", "page.html"), "é.html") },
	"abort":                  func(c *gin.Context, note func()) { c.Abort(); note() },
	"abort with a status":    func(c *gin.Context, note func()) { c.AbortWithStatus(403); note() },
	"abort with JSON":        func(c *gin.Context, note func()) { c.AbortWithStatusJSON(403, gin.H{"a": 1}); note() },
	"abort with an error":    func(c *gin.Context, note func()) { c.AbortWithError(400, errors.New("bad")); note() },
	"an error":               func(c *gin.Context, note func()) { c.Error(errors.New("bad")); note() },
	"an error and a status":  func(c *gin.Context, note func()) { c.Error(errors.New("bad")); c.Status(409); note() },
	"an error after an answer": func(c *gin.Context, note func()) {
		c.String(200, "a")
		c.Error(errors.New("bad"))
		note()
	},
	"a stream": func(c *gin.Context, note func()) {
		n := 0
		c.Stream(func(w io.Writer) bool { n++; fmt.Fprint(w, n); return n < 3 })
		note()
	},
	"events": func(c *gin.Context, note func()) {
		c.SSEvent("a", gin.H{"b": 1})
		note()
		c.Writer.Flush()
		c.SSEvent("c", "d")
		note()
	},
	"flushed, then a status": func(c *gin.Context, note func()) {
		c.Writer.Flush()
		note()
		c.Status(500)
		c.Header("X-Late", "1")
		note()
	},
	"a status, then flushed": func(c *gin.Context, note func()) { c.Status(201); c.Writer.Flush(); note(); c.Writer.WriteString("a") },
	"flushed by a controller": func(c *gin.Context, note func()) {
		c.Header("X-Own", "1")
		fmt.Fprintln(c.Writer, http.NewResponseController(c.Writer).Flush())
		note()
	},
	"long": func(c *gin.Context, note func()) {
		for range 5 {
			c.Writer.Write(bytes.Repeat([]byte("x"), core.LoginAnswerMax/4))
			note()
		}
		c.Status(500)
		note()
	},
	"long at once": func(c *gin.Context, note func()) {
		c.Data(201, "text/x", bytes.Repeat([]byte("x"), core.LoginAnswerMax+1))
		note()
	},
	"as long as may be": func(c *gin.Context, note func()) {
		c.Data(201, "text/x", bytes.Repeat([]byte("x"), core.LoginAnswerMax))
		note()
	},
	"a length of its own": func(c *gin.Context, note func()) {
		c.Header("Content-Length", "3")
		c.String(200, "abc")
		note()
	},
	"a copy": func(c *gin.Context, note func()) {
		c.Header("X-Copy", fmt.Sprint(c.Copy().Writer.Status()))
		c.String(200, "a")
		note()
	},
	"in a middleware of its own writer": func(c *gin.Context, note func()) {
		old := c.Writer
		c.Writer = upper{old}
		c.String(200, "abc")
		note()
		c.Writer = old
	},
	"a writer that is left there": func(c *gin.Context, _ func()) { c.Writer = upper{c.Writer}; c.String(200, "abc") },
	"deadlines": func(c *gin.Context, _ func()) {
		out := http.NewResponseController(c.Writer)
		fmt.Fprintln(c.Writer, out.SetWriteDeadline(farAway), out.SetReadDeadline(farAway))
	},
	"no push": func(c *gin.Context, _ func()) { fmt.Fprint(c.Writer, c.Writer.Pusher()) },
	"rewritten to another route": func(c *gin.Context, note func()) {
		c.Request.URL.Path = "/other"
		c.MustGet("engine").(*gin.Engine).HandleContext(c)
		note()
	},
	"a panic": func(c *gin.Context, _ func()) { panic("lost") },
	"a panic that aborts": func(c *gin.Context, _ func()) {
		c.String(200, "a")
		c.Writer.Flush()
		panic(http.ErrAbortHandler)
	},
}

// upper is a writer as a middleware of the app's has one.
type upper struct{ gin.ResponseWriter }

func (u upper) WriteString(s string) (int, error) { return u.Write([]byte(s)) }
func (u upper) Write(b []byte) (int, error)       { return u.ResponseWriter.Write(bytes.ToUpper(b)) }

// Whatever a handler does, nobody can tell that it is watched: not itself, not the
// middleware around it, not the log, not the client.
func TestWatchIsNotSeen(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		for _, method := range []string{"POST", "HEAD"} {
			for _, errorHandler := range []bool{false, true} {
				plain := play(t, answers[name], method, errorHandler, func(*core.Auth) gin.HandlerFunc { return func(*gin.Context) {} })
				watched := play(t, answers[name], method, errorHandler, func(a *core.Auth) gin.HandlerFunc { return ginauth.Watch(a) })
				if !reflect.DeepEqual(watched, plain) {
					t.Errorf("%s, %s, error handler %t:\ngot  %.600s\nwant %.600s", name, method, errorHandler, fmt.Sprint(watched), fmt.Sprint(plain))
				}
			}
		}
	}
}

// play has a handler answer behind a middleware and tells what there is to see.
func play(t *testing.T, handler func(*gin.Context, func()), method string, errorHandler bool, middleware func(*core.Auth) gin.HandlerFunc) []string {
	t.Helper()
	s := newSite(t, nil)
	var seen []string
	say := func(who string, c *gin.Context) {
		w := c.Writer
		seen = append(seen, fmt.Sprintf("%s: status %d, size %d, written %t, %d errors, aborted %t", who, w.Status(), w.Size(), w.Written(), len(c.Errors), c.IsAborted()))
	}
	s.Use(func(c *gin.Context) {
		c.Set("engine", s.Engine)
		defer func() { say("in the end", c) }()
		c.Next()
	}, gin.LoggerWithConfig(gin.LoggerConfig{Output: io.Discard, Formatter: func(p gin.LogFormatterParams) string {
		seen = append(seen, fmt.Sprintf("log: %d, %d bytes, %q", p.StatusCode, p.BodySize, p.ErrorMessage))
		return ""
	}}), gin.RecoveryWithWriter(io.Discard), func(c *gin.Context) {
		c.Header("X-Outer", "1")
		before := c.Writer
		c.Next()
		say("outside", c)
		if c.Writer != before && reflect.TypeOf(c.Writer) != reflect.TypeFor[upper]() {
			t.Errorf("c.Writer is not what it was: %T", c.Writer)
		}
		if errorHandler && len(c.Errors) > 0 && !c.Writer.Written() {
			c.Header("X-Errors", "1")
			c.JSON(-1, gin.H{"error": c.Errors.Last().Error()})
		}
	})
	s.Any("/other", func(c *gin.Context) { c.String(200, "other") })
	s.Any("/login", middleware(s.auth), func(c *gin.Context) {
		say("before", c)
		handler(c, func() { say("inside", c) })
	})

	done := make(chan struct{})
	s.after = func() { close(done) }
	out := s.send(method, "/login", "") // a body that nobody reads may reset the connection
	body, err := io.ReadAll(out.Body)
	out.Body.Close()
	<-done
	s.server.Close()
	out.Header.Del("Date")
	return append(seen, fmt.Sprint(out.Status, out.Header, out.ContentLength, out.Trailer), string(body), fmt.Sprint(err))
}

var farAway = time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)
