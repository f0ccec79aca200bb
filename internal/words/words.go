// Package words has what a core.Observer can be told, so that those of the checkout
// count by sets that are known: whatever else there may be counts as Other.
package words

import "github.com/sallyport-go/sallyport/core"

// Other is every word that is not of its set.
const Other = "other"

// Set is a set of words.
type Set map[string]struct{}

// Of returns a word of the set as it is, and Other for any other.
func (s Set) Of(word string) string {
	if _, ok := s[word]; ok {
		return word
	}
	return Other
}

func set[W ~string](words ...W) Set {
	s := make(Set, len(words))
	for _, w := range words {
		s[string(w)] = struct{}{}
	}
	return s
}

// Refusals are the refusals and failures of core.
func Refusals() []*core.Error {
	return []*core.Error{
		core.ErrBadRequest,
		core.ErrTokenMissing, core.ErrTokenInvalid, core.ErrTokenExpired, core.ErrTokenRevoked,
		core.ErrInvalidCredentials, core.ErrUserInactive,
		core.ErrRefreshTokenMissing, core.ErrRefreshTokenInvalid, core.ErrRefreshTokenExpired, core.ErrRefreshTokenReused,
		core.ErrSessionEnded, core.ErrFreshSignInRequired, core.ErrDeviceMismatch,
		core.ErrStepUpRequired, core.ErrStepUpInvalid,
		core.ErrRiskDenied, core.ErrForbidden, core.ErrCrossSite, core.ErrTooManySessions,
		core.ErrSessionNotFound, core.ErrTokenNotFound,
		core.ErrBodyTooLarge, core.ErrNotJSON,
		core.ErrTooManyRequests,
		core.ErrInternal, core.ErrStoreUnavailable,
	}
}

// Outcomes are what a guard decides and a route answers.
func Outcomes() Set {
	s := set("ok", "anonymous")
	for _, e := range Refusals() {
		s[e.Code] = struct{}{}
	}
	return s
}

// Guarded are the outcomes that a guard has while all goes as it should, or as an
// attacker would have it: those that are worth a zero before they come.
func Guarded() []string {
	return []string{
		"ok", "anonymous",
		core.ErrTokenMissing.Code, core.ErrTokenInvalid.Code, core.ErrTokenExpired.Code, core.ErrTokenRevoked.Code,
		core.ErrForbidden.Code, core.ErrFreshSignInRequired.Code, core.ErrCrossSite.Code,
		core.ErrInternal.Code, core.ErrStoreUnavailable.Code,
	}
}

// Failed are the outcomes that are failures: status 5xx.
func Failed() []string { return []string{core.ErrInternal.Code, core.ErrStoreUnavailable.Code} }

// Routes are the paths of the routes of an Auth.
func Routes() Set {
	return set(
		"/login", "/refresh", "/logout", "/logout-all", "/sessions", "/sessions/revoke", "/sessions/revoke-all",
		"/users/{user}/tokens", "/users/{user}/token-count", "/users/{user}/logout", "/users/{user}/trim",
		"/tokens/revoke", "/tokens/lookup", "/online",
		"/.well-known/jwks.json",
	)
}

// Events are the names of events.
func Events() Set {
	return set(
		core.EventSignedIn, core.EventSignInRefused,
		core.EventRefreshed, core.EventRepeated, core.EventReplayed, core.EventReplayedLate, core.EventRecovered,
		core.EventReused, core.EventDeviceMismatch, core.EventRefreshRefused,
		core.EventSessionEnded, core.EventLimited, core.EventStepUpRequired, core.EventStepUpRefused,
		core.EventRiskDenied, core.EventRiskRaised, core.EventNoticeFailed,
		core.EventTokenRevoked, core.EventUserForgotten, core.EventRevocationQueued, core.EventModeChanged, core.EventFailed,
	)
}

// Reasons are why sessions end.
func Reasons() []core.Reason {
	return []core.Reason{
		core.ReasonSignedOut, core.ReasonSignedOutAll, core.ReasonRevoked, core.ReasonRevokedByAdmin,
		core.ReasonPasswordChanged, core.ReasonUserInactive, core.ReasonReuse, core.ReasonEvicted, core.ReasonReplaced,
		core.ReasonTrimmed, core.ReasonExpired, core.ReasonOvertaken, core.ReasonForgotten, core.ReasonRevived, core.ReasonUnstored,
	}
}

// Limits are the limits that can be reached, as an event's cause names them.
func Limits() []string {
	return []string{"login_account", "login_device", "login_devices", "login_address", "step_up", "refresh", "logout_all", "lookup"}
}

// Causes are the causes of events, "" among them, and reasons of the app's own.
func Causes(more ...core.Reason) Set {
	s := set(append(Reasons(), more...)...)
	for _, w := range append(Limits(), "") {
		s[w] = struct{}{}
	}
	for _, e := range Refusals() {
		s[e.Code] = struct{}{}
	}
	return s
}

// Alarms are the events of an attack, or of a client that is broken, each with the
// causes that it may have: what an alert waits for is worth a zero before it comes.
func Alarms() map[core.EventName][]string {
	return map[core.EventName][]string{
		core.EventReused:         {core.ErrRefreshTokenReused.Code},
		core.EventReplayedLate:   {""},
		core.EventDeviceMismatch: {core.ErrDeviceMismatch.Code},
		core.EventStepUpRefused:  {core.ErrStepUpInvalid.Code},
		core.EventRiskDenied:     {"", core.ErrRiskDenied.Code},
		core.EventRiskRaised:     {""},
		core.EventLimited:        Limits(),
		core.EventNoticeFailed:   {""},
		core.EventModeChanged:    {""},
		core.EventFailed:         {""},
	}
}

// Calls are the calls on a store.
func Calls() Set { return set("load", "commit", "tail", "load_many", "sweep") }

// Results are how such a call ends.
func Results() Set { return set("ok", "conflict", "not_durable", "failed") }

// Modes are those of an Auth.
func Modes() []core.Mode {
	return []core.Mode{core.ModeNormal, core.ModeDegraded, core.ModeMemory, core.ModeClosed}
}
