package users

import (
	"errors"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// A sign-in costs the same hash whoever it names: how long an answer takes does not
// tell who is a user.
func TestEqualWork(t *testing.T) {
	u, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if err := u.SetActive("bob", false); err != nil {
		t.Fatal(err)
	}
	var computed []argon2id.Params
	u.compare = func(password, hash string) (bool, error) {
		params, _, _, err := argon2id.DecodeHash(hash)
		if err != nil {
			t.Errorf("not a hash: %v", err)
			return false, err
		}
		computed = append(computed, *params)
		return argon2id.ComparePasswordAndHash(password, hash)
	}
	for _, tt := range []struct {
		who, name, password string
		want                error
	}{
		{"a right password", "alice", "correct-horse", nil},
		{"a wrong one", "alice", "wrong", core.ErrInvalidCredentials},
		{"an unknown name", "nobody", "wrong", core.ErrInvalidCredentials},
		{"no name", "", "wrong", core.ErrInvalidCredentials},
		{"a disabled user", "bob", "battery-staple", core.ErrUserInactive},
	} {
		computed = nil
		if _, err := u.Authenticate(t.Context(), core.Credentials{Username: tt.name, Password: tt.password}); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.who, err, tt.want)
		}
		if diff := cmp.Diff([]argon2id.Params{*cost}, computed); diff != "" {
			t.Errorf("%s: hashes that were computed (-want +got):\n%s", tt.who, diff)
		}
	}
}
