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
			watch, refusal := auth.WatchLogin(Request(r))
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
	header http.Header // the handler's
	final  http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
	sent   bool // it goes out as it comes
}

// Unwrap is for [http.ResponseController].
func (a *heldAnswer) Unwrap() http.ResponseWriter { return a.out }

func (a *heldAnswer) Header() http.Header {
	if a.sent {
		return a.out.Header()
	}
	return a.header
}

func (a *heldAnswer) WriteHeader(status int) {
	switch {
	case a.sent:
		a.out.WriteHeader(status)
	case status < 200: // informational: it does not wait
		before := maps.Clone(a.out.Header())
		replace(a.out.Header(), a.header)
		a.out.WriteHeader(status)
		replace(a.out.Header(), before)
	case a.status == 0:
		a.status, a.final = status, a.header.Clone()
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
	a.WriteHeader(http.StatusOK)
	a.sent = true
	replace(a.out.Header(), a.final)
	a.out.WriteHeader(a.status)
	_, _ = a.out.Write(a.body.Bytes())
}

// release sends what the watch makes of the answer.
func (a *heldAnswer) release(watch *core.LoginWatch) {
	if a.sent {
		return
	}
	a.WriteHeader(http.StatusOK)
	out, refused := watch.Answer(core.Response{Status: a.status, Header: a.final, Body: a.body.Bytes()})
	if !refused { // else what was there before the handler stays
		clear(a.out.Header())
	}
	Write(a.out, out)
}

// replace makes a header say what another says.
func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}
