// Package api is the JSON of the examples' own routes. It knows no framework: an
// app hands in a body, and writes the core.Response with its adapter's Write.
package api

import (
	"io"
	"log/slog"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/sallyport-go/sallyport/core"
)

// Form is what a client sends.
type Form interface {
	complete() bool // all that is needed is there
}

// bodyMax is how long a body may be, in bytes. The routes of the library draw the
// same line.
const bodyMax = 64 << 10

// Read reads a JSON object of the given Content-Type into a form, which keeps
// nothing of the body's memory. No body at all counts as {}. The error is for
// [Reply].
func Read(body io.Reader, contentType string, form Form) error {
	text, err := io.ReadAll(io.LimitReader(body, bodyMax+1))
	switch {
	case err != nil:
		return core.ErrBadRequest
	case len(text) > bodyMax:
		return core.ErrBodyTooLarge
	}
	if len(text) > 0 {
		if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
			return core.ErrNotJSON
		}
		if json.Unmarshal(text, form) != nil {
			return core.ErrBadRequest
		}
	}
	if !form.complete() {
		return core.ErrBadRequest
	}
	return nil
}

// Reply answers with JSON that no cache keeps or, after an error, in the shape
// that the routes of the library have. The cause of a failure is for the log
// alone.
func Reply(auth *core.Auth, answer any, err error) core.Response {
	var body []byte
	if err == nil {
		body, err = json.Marshal(answer)
	}
	if err != nil {
		out := auth.Problem(err)
		if out.Status >= http.StatusInternalServerError {
			slog.Error("a request failed", "error", err)
		}
		return out
	}
	return core.Response{
		Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}},
		Body:   append(body, '\n'),
	}
}
