package main

import (
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/users"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// app has the routes that are the app's own.
type app struct {
	auth   *core.Auth
	people *users.Users
}

// me says who is asking.
func (a *app) me(w http.ResponseWriter, r *http.Request) {
	p := nethttpauth.Principal(r)
	a.answer(w, struct {
		UserID     string   `json:"user_id"`
		SessionID  core.ID  `json:"session_id"`
		ClientType string   `json:"client_type"`
		Scopes     []string `json:"scopes"`
	}{p.UserID, p.SessionID, p.ClientType, p.Scopes})
}

// setPassword changes the password and ends the user's other sessions: whoever
// had the old one is out.
func (a *app) setPassword(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if err := read(w, r, &body); err != nil {
		a.refuse(w, err)
		return
	}
	if body.Old == "" || body.New == "" {
		a.refuse(w, core.ErrBadRequest)
		return
	}
	p := nethttpauth.Principal(r)
	if err := a.people.SetPassword(p.UserID, body.Old, body.New); err != nil {
		a.refuse(w, err)
		return
	}
	n, err := a.auth.RevokeOthers(r.Context(), p.UserID, p.SessionID, core.ReasonPasswordChanged)
	if err != nil {
		a.refuse(w, err)
		return
	}
	a.answer(w, struct {
		Message string `json:"message"`
		Revoked int    `json:"revoked"`
	}{"password changed", n})
}

// setActive disables a user or lets one in again. First the app says no to
// sign-ins and refreshes, then what is open is ended.
func (a *app) setActive(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Active *bool `json:"active"`
	}
	if err := read(w, r, &body); err != nil {
		a.refuse(w, err)
		return
	}
	if body.Active == nil {
		a.refuse(w, core.ErrBadRequest)
		return
	}
	user := r.PathValue("user")
	if err := a.people.SetActive(user, *body.Active); err != nil {
		a.refuse(w, err)
		return
	}
	n := 0
	if !*body.Active {
		var err error
		if n, err = a.auth.RevokeAll(r.Context(), user, core.ReasonUserInactive); err != nil {
			a.refuse(w, err)
			return
		}
	}
	a.answer(w, struct {
		UserID  string `json:"user_id"`
		Active  bool   `json:"active"`
		Revoked int    `json:"revoked"`
	}{user, *body.Active, n})
}

// health says whether revocations arrive. The server answers in either case.
func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	h := a.auth.Health()
	status, age := "ok", h.FeedAge.Milliseconds()
	if h.Degraded {
		status = "degraded"
	}
	if h.FeedAge < 0 { // it was never read
		age = -1
	}
	a.answer(w, struct {
		Status  string `json:"status"`
		Store   string `json:"store"`
		FeedAge int64  `json:"feed_age_ms"`
	}{status, "memory", age})
}

// read reads a JSON object of at most 64 KiB into v.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return core.ErrBodyTooLarge
	case err != nil:
		return core.ErrBadRequest
	case len(body) == 0:
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return core.ErrNotJSON
	}
	if json.Unmarshal(body, v) != nil {
		return core.ErrBadRequest
	}
	return nil
}

// answer writes JSON that no cache keeps.
func (a *app) answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	body, err := json.Marshal(v)
	if err != nil {
		a.refuse(w, err)
		return
	}
	_, _ = w.Write(append(body, '\n')) // the client has gone: nobody is left to tell
}

// refuse answers with an error in the shape that the auth routes have. The cause
// of a failure is for the log alone.
func (a *app) refuse(w http.ResponseWriter, err error) {
	out := a.auth.Problem(err)
	if out.Status >= http.StatusInternalServerError {
		slog.Error("a request failed", "error", err)
	}
	nethttpauth.Write(w, out)
}
