package core

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`

	Pending   string `json:"pending,omitzero"` // STEP_UP_REQUIRED alone
	ExpiresIn int64  `json:"expires_in,omitzero"`
}

// problemBody is the shape of a refusal unless Config.Problem says otherwise.
func problemBody(e Error) (contentType string, body []byte) {
	body, err := json.Marshal(problem{
		Type:      "about:blank",
		Title:     http.StatusText(e.Status),
		Status:    e.Status,
		Code:      e.Code,
		Detail:    e.Detail,
		Pending:   e.Pending,
		ExpiresIn: int64(e.ExpiresIn / time.Second),
	})
	if err != nil {
		panic("sallyport: " + err.Error()) // text and a number
	}
	return "application/problem+json", append(body, '\n')
}

// Problem returns the answer to an error, in the shape that every refusal of
// this Auth has: for an app's own routes. What is no *Error, or wraps none, is
// answered as ErrInternal; causes are never sent.
func (a *Auth) Problem(err error) Response {
	e := *asError(err)
	e.cause = nil // it holds what is for the log alone
	contentType, body := a.config.Problem(e)
	r := answerOf(e.Status, contentType, body)
	r.code = e.Code
	switch {
	case e.RetryAfter > 0:
		r.Header.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusTooManyRequests:
		r.Header.Set("Retry-After", "1")
	}
	return r
}

// refuse answers a request with an error. Failures, unlike refusals, are
// audited here: nobody else is told their cause.
func (a *Auth) refuse(r Request, err error) Response {
	if asError(err).Status >= http.StatusInternalServerError {
		a.audit(r.Context(), EventFailed, Event{Err: err})
	}
	return a.Problem(err)
}
