package ginauth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Watch stands before an app's own login handler and adds the refresh cookie to
// its answer: see [core.LoginWatch]. The answer is held back until the handlers
// after it return, unless it is flushed or longer than [core.LoginAnswerMax]:
// then it goes out as it comes and is not watched.
func Watch(auth *core.Auth) gin.HandlerFunc {
	watched := nethttpauth.Watch(auth)
	return func(c *gin.Context) {
		out := c.Writer
		defer func() { c.Writer = out }() // after a panic as well
		var w *writer
		watched(http.HandlerFunc(func(held http.ResponseWriter, _ *http.Request) {
			w = &writer{ResponseWriter: out, held: held, status: out.Status()}
			c.Writer = w
			c.Next()
			if !w.written {
				held.WriteHeader(w.status)
			}
		})).ServeHTTP(unwritten{out}, c.Request)
		if w == nil { // it was refused
			c.Abort()
		}
		if w == nil || w.written {
			out.WriteHeaderNow() // of an answer without a body
		}
	}
}

// writer is a [gin.ResponseWriter] whose answer is held back.
type writer struct {
	gin.ResponseWriter
	held    http.ResponseWriter
	status  int
	size    int
	written bool
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) Header() http.Header { return w.held.Header() }

// WriteHeader may be called again until something is written, as Gin has it.
func (w *writer) WriteHeader(status int) {
	if status > 0 && !w.written {
		w.status = status
	}
}

func (w *writer) WriteHeaderNow() {
	if !w.written {
		w.written = true
		w.held.WriteHeader(w.status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeaderNow()
	n, err := w.held.Write(b)
	w.size += n
	return n, err
}

func (w *writer) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w *writer) Flush() {
	w.WriteHeaderNow()
	w.held.(http.Flusher).Flush()
}

func (w *writer) Status() int { return w.status }

// Written is true of a connection that was hijacked as well, as Gin has it.
func (w *writer) Written() bool { return w.written || w.ResponseWriter.Written() }

func (w *writer) Size() int {
	if !w.written {
		return w.ResponseWriter.Size()
	}
	return w.size
}

// unwritten passes no empty body on: Gin takes an answer that nobody has written
// for one that others, such as a handler of c.Errors, may still write.
type unwritten struct{ gin.ResponseWriter }

// WriteHeader sends what is informational at once, such as the answer to an upgrade.
func (w unwritten) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	if status < http.StatusOK {
		w.ResponseWriter.WriteHeaderNow()
	}
}

func (w unwritten) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return w.ResponseWriter.Write(b)
}
