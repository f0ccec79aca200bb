package users_test

import (
	"errors"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/users"
)

func TestUsers(t *testing.T) {
	u, err := users.New()
	if err != nil {
		t.Fatal(err)
	}
	enter := func(name, password string, want error) {
		t.Helper()
		id, err := u.Authenticate(t.Context(), core.Credentials{Username: name, Password: password})
		if !errors.Is(err, want) || want == nil && id.UserID != name {
			t.Errorf("%s with %q: got %q, %v, want %v", name, password, id.UserID, err, want)
		}
	}
	enter("alice", "correct-horse", nil)
	enter("bob", "battery-staple", nil)
	enter("root", "tr0ub4dor-and-3", nil)
	enter("alice", "battery-staple", core.ErrInvalidCredentials)
	enter("Alice", "correct-horse", core.ErrInvalidCredentials)
	enter("nobody", "nobody", core.ErrInvalidCredentials) // what unknown names are compared with opens nothing

	if err := u.SetPassword("alice", "wrong", "new"); !errors.Is(err, core.ErrInvalidCredentials) {
		t.Errorf("a wrong old password: got %v", err)
	}
	if err := u.SetPassword("alice", "correct-horse", "new"); err != nil {
		t.Error(err)
	}
	enter("alice", "correct-horse", core.ErrInvalidCredentials)
	enter("alice", "new", nil)

	if err := u.SetActive("bob", false); err != nil {
		t.Error(err)
	}
	enter("bob", "battery-staple", core.ErrUserInactive)
	enter("bob", "wrong", core.ErrInvalidCredentials) // tells nothing without the password
	for name, want := range map[string]bool{"alice": true, "bob": false, "nobody": false} {
		if active, err := u.Active(t.Context(), name); active != want || err != nil {
			t.Errorf("is %s active: got %v, %v, want %v", name, active, err, want)
		}
	}
	if err := u.SetActive("nobody", true); !errors.Is(err, users.ErrNotFound) {
		t.Errorf("an unknown user: got %v", err)
	}
}

// A change whose second half failed can be asked for again.
func TestSetPasswordAgain(t *testing.T) {
	u, err := users.New()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := u.SetPassword("bob", "battery-staple", "another"); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.SetPassword("bob", "battery-staple", "a third"); !errors.Is(err, core.ErrInvalidCredentials) {
		t.Errorf("got %v, want %v", err, core.ErrInvalidCredentials)
	}
}
