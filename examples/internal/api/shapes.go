package api

import (
	"net/http"

	"github.com/sallyport-go/sallyport/core"
)

// PasswordForm asks for another password.
type PasswordForm struct {
	Old string `json:"old"`
	New string `json:"new"`
}

func (f *PasswordForm) complete() bool { return f.Old != "" && f.New != "" }

// ActiveForm says whether a user may come in.
type ActiveForm struct {
	Active *bool `json:"active"`
}

func (f *ActiveForm) complete() bool { return f.Active != nil }

// CodeForm is a code of an authenticator app, to confirm that there is one.
type CodeForm struct {
	Code string `json:"code"`
}

func (f *CodeForm) complete() bool { return f.Code != "" }

// StepUpForm is the second half of a sign-in. The rest is as the login route has it.
type StepUpForm struct {
	Pending  string `json:"pending"`
	Code     string `json:"code"`
	DeviceID string `json:"device_id"`
	Delivery string `json:"delivery"`
}

func (f *StepUpForm) complete() bool { return f.Pending != "" && f.Code != "" }

// Me says who is asking.
func Me(p *core.Principal) any {
	return struct {
		UserID     string   `json:"user_id"`
		SessionID  core.ID  `json:"session_id"`
		ClientType string   `json:"client_type"`
		Scopes     []string `json:"scopes"`
	}{p.UserID, p.SessionID, p.ClientType, p.Scopes}
}

// PasswordChanged says how many sessions a new password ended.
func PasswordChanged(revoked int) any {
	return struct {
		Message string `json:"message"`
		Revoked int    `json:"revoked"`
	}{"password changed", revoked}
}

// Active says whether a user may come in, and how many sessions have ended.
func Active(user string, active bool, revoked int) any {
	return struct {
		UserID  string `json:"user_id"`
		Active  bool   `json:"active"`
		Revoked int    `json:"revoked"`
	}{user, active, revoked}
}

// Health says whether revocations arrive, and what store the sessions are in.
func Health(h core.Health, store string) any {
	status, age := "ok", h.FeedAge.Milliseconds()
	if h.Degraded {
		status = "degraded"
	}
	if h.FeedAge < 0 { // it was never read
		age = -1
	}
	return struct {
		Status  string `json:"status"`
		Store   string `json:"store"`
		FeedAge int64  `json:"feed_age_ms"`
	}{status, store, age}
}

// Enrolled has a user's authenticator app know its secret. Nobody is told it again.
func Enrolled(secret, url string) any {
	return struct {
		Secret string `json:"secret"`
		URL    string `json:"otpauth_url"`
	}{secret, url}
}

// Confirmed says that sign-ins ask for a code from now on.
func Confirmed() any {
	return struct {
		Message string `json:"message"`
	}{"second factor confirmed"}
}

// SignedIn answers a second factor as the login route answers a password.
func SignedIn(auth *core.Auth, pair core.Pair, cookies http.Header, err error) core.Response {
	if err != nil {
		return Reply(auth, nil, err)
	}
	out := pair.Response()
	if set := cookies["Set-Cookie"]; set != nil {
		out.Header["Set-Cookie"] = set
	}
	return out
}
