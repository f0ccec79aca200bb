package core_test

import (
	"testing"
	"testing/synctest"

	"github.com/sallyport-go/sallyport/core"
)

// Ending all other sessions is decided on a ledger of some time ago, its commit is lost,
// and meanwhile another process has ended all but a session that the first did not know.
// That the user's sessions were ended since does not say that this one was to stay.
func TestLostEndOfUnknownSessions(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(a *core.Auth, own core.Pair) error
		left int
	}{
		{"the others", func(a *core.Auth, own core.Pair) error {
			_, err := a.RevokeOthers(t.Context(), "alice", own.Session.ID, core.ReasonRevoked)
			return err
		}, 0},
		{"all", func(a *core.Auth, _ core.Pair) error {
			_, err := a.RevokeAll(t.Context(), "alice", core.ReasonRevoked)
			return err
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newTap()
				here, there := open(t, store), open(t, store.Store)
				settle(here)
				own := here.signIn("alice") // the ledger that is known here
				unknown := there.signIn("alice")
				lost := false
				store.set(func(call string, do func() error) error {
					if call != "commit" || lost {
						return do()
					}
					lost = true
					if _, err := there.RevokeOthers(t.Context(), "alice", unknown.Session.ID, core.ReasonRevoked); err != nil {
						t.Error(err)
					}
					return errBroken
				})
				if err := tt.end(here.Auth, own); err != nil {
					t.Fatal(err)
				}
				store.set(nil)
				if !lost {
					t.Fatal("nothing was lost")
				}
				for _, h := range []*house{here, there} {
					if n, err := h.Count(t.Context(), "alice"); err != nil || n != tt.left {
						t.Errorf("%d sessions are left, %v, want %d", n, err, tt.left)
					}
					h.expectVerify(unknown, core.ErrTokenRevoked)
				}
			})
		})
	}
}
