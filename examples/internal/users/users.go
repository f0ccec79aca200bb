// Package users is what an app has anyway: people, their passwords and whether
// they may come in. This one keeps them in memory.
package users

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/alexedwards/argon2id"

	"github.com/sallyport-go/sallyport/core"
)

// RoleAdmin is the role of those who may disable others.
const RoleAdmin = "admin"

// ErrNotFound says that there is no such user. The code is this app's own:
// clients get it in the shape of all other refusals.
var ErrNotFound = &core.Error{Code: "USER_NOT_FOUND", Status: 404, Detail: "no such user"}

// Users are the people of the example. They are safe for concurrent use.
type Users struct {
	// nobody is a hash that a name without a user is compared with, so that an
	// answer takes as long for a name that does not exist.
	nobody  string
	compare func(password, hash string) (bool, error)

	mu    sync.Mutex
	users map[string]user
}

type user struct {
	hash     string
	address  string // for mail; "": there is none
	roles    []string
	disabled bool
	totp     generator
}

// cost is modest, for an example that starts quickly: see RFC 9106 section 4.
var cost = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// New returns alice, bob and root, who is an admin.
func New() (*Users, error) {
	u := &Users{users: make(map[string]user), compare: argon2id.ComparePasswordAndHash}
	for _, known := range []struct {
		name, password, address string
		roles                   []string
	}{
		{"alice", "correct-horse", "alice@example.com", nil},
		{"bob", "battery-staple", "bob@example.com", nil},
		{"root", "tr0ub4dor-and-3", "root@example.com", []string{RoleAdmin}},
	} {
		if err := u.add(known.name, known.password, user{address: known.address, roles: known.roles}); err != nil {
			return nil, err
		}
	}
	var err error
	if u.nobody, err = argon2id.CreateHash(rand.Text(), cost); err != nil {
		return nil, fmt.Errorf("hashing a password: %w", err)
	}
	return u, nil
}

// Add adds a user without an address, or replaces one.
func (u *Users) Add(id, password string, roles ...string) error {
	return u.add(id, password, user{roles: roles})
}

func (u *Users) add(id, password string, added user) error {
	var err error
	if added.hash, err = argon2id.CreateHash(password, cost); err != nil {
		return fmt.Errorf("hashing a password: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.users[id] = added
	return nil
}

// Address returns where mail reaches a user; "": nowhere.
func (u *Users) Address(id string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.users[id].address
}

// Authenticate is a core.Config.Authenticate. It tells that a user is disabled
// only to who knows the password.
func (u *Users) Authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	found, err := u.check(c.Username, c.Password)
	switch {
	case err != nil:
		return core.Identity{}, err
	case found.disabled:
		return core.Identity{}, core.ErrUserInactive
	}
	return core.Identity{UserID: c.Username, Roles: found.roles, AMR: []string{"pwd"}, StepUp: found.totp.confirmed}, nil
}

// Active is a core.Config.Active.
func (u *Users) Active(_ context.Context, id string) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, known := u.users[id]
	return known && !found.disabled, nil
}

// SetPassword replaces a password. It returns core.ErrInvalidCredentials if old
// is not the one that stands. If new is, it has been replaced already: whoever
// asks again, because the rest of a change failed, must be able to.
func (u *Users) SetPassword(id, old, new string) error {
	checked, err := u.check(id, old)
	if errors.Is(err, core.ErrInvalidCredentials) {
		if _, again := u.check(id, new); again == nil {
			return nil
		}
	}
	if err != nil {
		return err
	}
	hash, err := argon2id.CreateHash(new, cost)
	if err != nil {
		return fmt.Errorf("hashing a password: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	found := u.users[id]
	if found.hash != checked.hash { // another request was first
		return core.ErrInvalidCredentials
	}
	found.hash = hash
	u.users[id] = found
	return nil
}

// SetActive disables a user, or lets the user in again. It returns ErrNotFound
// if there is none.
func (u *Users) SetActive(id string, active bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	found, known := u.users[id]
	if !known {
		return ErrNotFound
	}
	found.disabled = !active
	u.users[id] = found
	return nil
}

// check returns a user whose password is right. One hash is computed, without the
// lock, and compared in constant time, whether the name is known or not.
func (u *Users) check(id, password string) (user, error) {
	u.mu.Lock()
	found, known := u.users[id]
	u.mu.Unlock()
	if !known {
		found.hash = u.nobody
	}
	right, err := u.compare(password, found.hash)
	switch {
	case err != nil:
		return user{}, fmt.Errorf("comparing a password: %w", err)
	case !right || !known:
		return user{}, core.ErrInvalidCredentials
	}
	return found, nil
}
