package core

import "context"

// MarkKnown does nothing: devices know by themselves.
func MarkKnown(*Auth, string, string) {}

// NoteFailure has a sign-in fail.
func NoteFailure(a *Auth, username string) {
	a.take(context.Background(), &a.limits.failures, accountKey(username), 1)
}

// CountSignIn has a sign-in tried, from nowhere.
func CountSignIn(a *Auth, username string) error {
	return a.allowSignIn(context.Background(), &Client{}, &deviceToken{}, username)
}
