// Package shop is what the apps of the migration guide have in common: their
// users.
package shop

import "sync"

// User is somebody who may sign in.
type User struct {
	Name string
	Role string // "member" or "admin"
	Plan string
}

// Users are safe for concurrent use.
type Users struct {
	mu       sync.Mutex
	disabled map[string]bool
}

var passwords = map[string]string{"alice": "correct-horse", "root": "tr0ub4dor-and-3"}

// Check returns the user of a name and a password.
func (u *Users) Check(name, password string) (user User, ok bool) {
	known, ok := passwords[name]
	if !ok || known != password || !u.Active(name) {
		return User{}, false
	}
	return u.ByName(name), true
}

// ByName returns a user who is known.
func (u *Users) ByName(name string) User {
	if name == "root" {
		return User{Name: name, Role: "admin", Plan: "team"}
	}
	return User{Name: name, Role: "member", Plan: "free"}
}

// Disable locks a user out.
func (u *Users) Disable(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.disabled == nil {
		u.disabled = make(map[string]bool)
	}
	u.disabled[name] = true
}

// Active reports whether a user is not locked out.
func (u *Users) Active(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.disabled[name]
}
