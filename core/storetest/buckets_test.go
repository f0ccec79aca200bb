package storetest_test

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
)

// A store may keep its feed in several places, and read one after the other: only
// the order of a user's own revocations counts.
func TestFeedInPlaces(t *testing.T) {
	storetest.Run(t, func(testing.TB) core.Store {
		return bend(func(b *bent) {
			place := map[core.ID]byte{} // of each revoked session, by its user
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				b.mu.Lock()
				for _, r := range c.Publish {
					place[r.Session] = user[len(user)-1]
				}
				b.mu.Unlock()
				return b.store.Commit(ctx, user, c)
			}
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				b.mu.Lock()
				defer b.mu.Unlock()
				slices.SortStableFunc(batch.Events, func(x, y core.Revocation) int { return cmp.Compare(place[x.Session], place[y.Session]) })
			})
		})
	})
}
