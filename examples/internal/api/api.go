// Package api is the JSON of the examples' own routes. It knows no framework: an
// app reads a body, and writes the core.Response with its adapter's Write.
package api

import (
	"log/slog"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/sallyport-go/sallyport/core"
)

// BodyMax is how long a body may be, in bytes; one that is longer is refused
// with core.ErrBodyTooLarge. The routes of the library draw the same line.
const BodyMax = 64 << 10

// Form is what a client sends.
type Form interface {
	complete() bool // all that is needed is there
}

// Decode reads a JSON object of the given Content-Type into a form. No body at
// all counts as {}. The error is for [Reply].
func Decode(contentType string, body []byte, form Form) error {
	if len(body) > 0 {
		if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/json" {
			return core.ErrNotJSON
		}
		if json.Unmarshal(body, form) != nil {
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
