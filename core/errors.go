package core

import (
	"errors"
	"net/http"
	"time"
)

// Error is a refusal or a failure with a code that is part of the contract:
// clients and apps may branch on it. Compare with [errors.Is] against the
// sentinels of this package; two errors are the same if their codes are.
type Error struct {
	Code   string // stable, upper case
	Status int    // the HTTP status that it maps to
	Detail string // one sentence for a person; safe to send

	// RetryAfter is when to try again, of ErrTooManyRequests.
	RetryAfter time.Duration
	// Pending is what [Auth.StepUp] goes on from, for ExpiresIn, of ErrStepUpRequired.
	Pending   string
	ExpiresIn time.Duration

	cause error
}

// Error returns the detail and, for logs, the cause.
func (e *Error) Error() string {
	if e.cause != nil {
		return "sallyport: " + e.Detail + ": " + e.cause.Error()
	}
	return "sallyport: " + e.Detail
}

// Unwrap returns what caused the error, which is never sent to a client.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// asError returns the *Error that err is or wraps, ErrInternal if there is none.
func asError(err error) *Error {
	var e *Error
	if !errors.As(err, &e) {
		e = ErrInternal.because(err)
	}
	return e
}

// because returns a copy of e that carries its cause.
func (e *Error) because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// saying returns a copy of e with another detail.
func (e *Error) saying(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// ErrNotDurable says of a revocation that it is enforced, but that nobody promises
// that it outlives a crash: the store did not take it, and it is written when the
// store is back; or, returned by a [Store]'s Commit, the change took place and is on
// fewer machines than the app asked for. Such an error is ErrStoreUnavailable as well.
var ErrNotDurable = errors.New("sallyport: not durable")

// The refusals, by the status that they map to.
var (
	ErrBadRequest = &Error{Code: "BAD_REQUEST", Status: http.StatusBadRequest, Detail: "the request is malformed"}

	ErrTokenMissing        = &Error{Code: "TOKEN_MISSING", Status: http.StatusUnauthorized, Detail: "an access token is required"}
	ErrTokenInvalid        = &Error{Code: "TOKEN_INVALID", Status: http.StatusUnauthorized, Detail: "the access token is not valid"}
	ErrTokenExpired        = &Error{Code: "TOKEN_EXPIRED", Status: http.StatusUnauthorized, Detail: "the access token has expired"}
	ErrTokenRevoked        = &Error{Code: "TOKEN_REVOKED", Status: http.StatusUnauthorized, Detail: "the access token was revoked"}
	ErrInvalidCredentials  = &Error{Code: "INVALID_CREDENTIALS", Status: http.StatusUnauthorized, Detail: "the username or the password is wrong"}
	ErrUserInactive        = &Error{Code: "USER_INACTIVE", Status: http.StatusUnauthorized, Detail: "the user is not active"}
	ErrRefreshTokenMissing = &Error{Code: "REFRESH_TOKEN_MISSING", Status: http.StatusUnauthorized, Detail: "a refresh token is required"}
	ErrRefreshTokenInvalid = &Error{Code: "REFRESH_TOKEN_INVALID", Status: http.StatusUnauthorized, Detail: "the refresh token is not valid"}
	ErrRefreshTokenExpired = &Error{Code: "REFRESH_TOKEN_EXPIRED", Status: http.StatusUnauthorized, Detail: "the refresh token has expired"}
	ErrRefreshTokenReused  = &Error{Code: "REFRESH_TOKEN_REUSED", Status: http.StatusUnauthorized, Detail: "the refresh token was used before; its session has ended"}
	ErrSessionEnded        = &Error{Code: "SESSION_ENDED", Status: http.StatusUnauthorized, Detail: "the session has ended"}
	ErrFreshSignInRequired = &Error{Code: "FRESH_SIGN_IN_REQUIRED", Status: http.StatusUnauthorized, Detail: "sign in again to go on"}
	ErrDeviceMismatch      = &Error{Code: "DEVICE_MISMATCH", Status: http.StatusUnauthorized, Detail: "the refresh token belongs to another device"}

	ErrStepUpRequired = &Error{Code: "STEP_UP_REQUIRED", Status: http.StatusUnauthorized, Detail: "a second factor is required"}
	ErrStepUpInvalid  = &Error{Code: "INVALID_CREDENTIALS", Status: http.StatusUnauthorized, Detail: "the second factor is wrong, or the sign-in has to begin again"}

	ErrRiskDenied      = &Error{Code: "RISK_DENIED", Status: http.StatusForbidden, Detail: "the sign-in is too unusual"}
	ErrForbidden       = &Error{Code: "FORBIDDEN", Status: http.StatusForbidden, Detail: "not allowed"}
	ErrCrossSite       = &Error{Code: "CROSS_SITE", Status: http.StatusForbidden, Detail: "the request comes from another site"}
	ErrTooManySessions = &Error{Code: "TOO_MANY_SESSIONS", Status: http.StatusForbidden, Detail: "the user is signed in on as many devices as allowed"}

	ErrSessionNotFound = &Error{Code: "SESSION_NOT_FOUND", Status: http.StatusNotFound, Detail: "no such session"}
	ErrTokenNotFound   = &Error{Code: "TOKEN_NOT_FOUND", Status: http.StatusNotFound, Detail: "no such token"}

	ErrBodyTooLarge = &Error{Code: "BODY_TOO_LARGE", Status: http.StatusRequestEntityTooLarge, Detail: "the body is too large"}
	ErrNotJSON      = &Error{Code: "NOT_JSON", Status: http.StatusUnsupportedMediaType, Detail: "the body must be application/json"}

	ErrTooManyRequests = &Error{Code: "TOO_MANY_REQUESTS", Status: http.StatusTooManyRequests, Detail: "too many attempts; try again later"}

	ErrInternal         = &Error{Code: "INTERNAL", Status: http.StatusInternalServerError, Detail: "something went wrong"}
	ErrStoreUnavailable = &Error{Code: "STORE_UNAVAILABLE", Status: http.StatusServiceUnavailable, Detail: "the session store does not answer; try again"}
)
