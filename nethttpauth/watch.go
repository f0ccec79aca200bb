package nethttpauth

import (
	"bytes"
	"maps"
	"net/http"

	"github.com/sallyport-go/sallyport/core"
)

// Watch stands around an app's own login handler and adds the refresh cookie to
// its answer: see [core.LoginWatch]. The answer is held back until the handler
// returns, unless it is flushed or longer than [core.LoginAnswerMax]: then it
// goes out as it comes and is not watched.
func Watch(auth *core.Auth) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			watch, refusal := auth.WatchLogin(request{r})
			if refusal != nil {
				Write(w, *refusal)
				return
			}
			held := &heldAnswer{out: w, header: w.Header().Clone()}
			next.ServeHTTP(held, r)
			held.release(watch)
		})
	}
}

// heldAnswer is a [http.ResponseWriter] that keeps the answer.
type heldAnswer struct {
	out    http.ResponseWriter
	header http.Header
	status int
	body   bytes.Buffer
	sent   bool // it goes out as it comes
}

func (a *heldAnswer) Header() http.Header {
	if a.sent {
		return a.out.Header()
	}
	return a.header
}

func (a *heldAnswer) WriteHeader(status int) {
	switch {
	case a.sent || status < 200: // informational: it does not wait
		a.out.WriteHeader(status)
	case a.status == 0:
		a.status = status
	}
}

func (a *heldAnswer) Write(b []byte) (int, error) {
	if !a.sent && a.body.Len()+len(b) > core.LoginAnswerMax {
		a.send()
	}
	if a.sent {
		return a.out.Write(b)
	}
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush sends what there is.
func (a *heldAnswer) Flush() {
	a.send()
	_ = http.NewResponseController(a.out).Flush() // not every server can
}

// send has the answer go out as it is, and what follows as it comes.
func (a *heldAnswer) send() {
	if a.sent {
		return
	}
	a.sent = true
	clear(a.out.Header())
	maps.Copy(a.out.Header(), a.header)
	if a.status != 0 {
		a.out.WriteHeader(a.status)
	}
	_, _ = a.out.Write(a.body.Bytes())
}

// release sends what the watch makes of the answer.
func (a *heldAnswer) release(watch *core.LoginWatch) {
	if a.sent {
		return
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	out, refused := watch.Answer(core.Response{Status: a.status, Header: a.header, Body: a.body.Bytes()})
	if !refused { // else what was there before the handler stays
		clear(a.out.Header())
	}
	Write(a.out, out)
}
