package sqlstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// Two processes sweep what was a user's, and the user comes back between their
// statements: what begins then lives.
func TestSweepBesideFirstCommit(t *testing.T) {
	for _, engine := range []string{"mariadb", "postgres"} {
		for _, statement := range []string{"DELETE FROM user_session_devices", "UPDATE user_sessions SET ended_at = COALESCE(expires_at"} {
			t.Run(engine+", "+statement, func(t *testing.T) {
				f := newFrail(t, engine)
				d := desk{f.database, f.sound, f.database.Open(t)}
				driver := faultyOf(t, f.database)
				other, err := sqlstore.New(driver.open(t), dialects[engine], sqlstore.Options{Timeout: 20 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				load(t, other, "frank")
				commit(t, d, "frank", core.Change{ID: newID(), At: base, KeepUntil: base.Add(time.Minute)})
				c := raised("frank", core.Ledger{}, 1)
				c.KeepUntil = base.Add(time.Hour)
				committed := make(chan error, 1)
				f.driver.fail(func(_ int, call string) *fault {
					switch {
					case call == "begin":
						return &fault{wait: func() {
							defer soon(nil) // what was deleted goes for good
							if _, err := d.Sweep(context.Background(), base.Add(2*time.Minute), 100); err != nil {
								t.Error(err)
							}
						}}
					case strings.HasPrefix(call, statement):
						return &fault{wait: func() {
							ready, swept := make(chan struct{}), make(chan struct{})
							driver.fail(func(_ int, call string) *fault {
								if call != "commit" {
									return nil
								}
								return &fault{wait: func() { close(ready); soon(swept) }} // time for the sweep to meet it
							})
							go func() {
								_, err := other.Commit(context.Background(), "frank", c)
								committed <- err
							}()
							soon(ready) // or it waits for the sweep
						}}
					}
					return nil
				})
				if _, err := f.Sweep(t.Context(), base.Add(2*time.Minute), 100); err != nil {
					t.Error(err)
				}
				if err := <-committed; err != nil {
					t.Errorf("Commit: %v", err)
				}
				if n, err := tally(load(t, d, "frank")); n != 1 || err != nil {
					t.Errorf("who came back is at %d, %v, want 1", n, err)
				}
			})
		}
	}
}
