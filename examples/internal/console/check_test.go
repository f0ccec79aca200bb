package console_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/console"
	"github.com/sallyport-go/sallyport/memstore"
)

// slow is a store whose feed answers late, or never.
type slow struct {
	core.Store
	tail func(context.Context) error
}

func (s slow) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if err := s.tail(ctx); err != nil {
		return core.Batch{}, err
	}
	return s.Store.Tail(ctx, after, wait)
}

func TestCheck(t *testing.T) {
	const insecure = "cookie: cookies travel without TLS; "
	for _, tt := range []struct {
		rule  string
		local bool
		tail  func() func(context.Context) error
		lines []string // each begins so
		fails bool
	}{
		{"a note as long as nobody else listens", true, nil, []string{"note: " + insecure, "nothing unsound was found"}, false},
		{"unsound elsewhere", false, nil, []string{insecure}, true},
		{"the first read of the feed is waited for", true, func() func(context.Context) error {
			var calls atomic.Int64
			return func(ctx context.Context) error {
				if calls.Add(1) > 1 {
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Second):
					return nil
				}
			}
		}, []string{"note: " + insecure, "nothing unsound was found"}, false},
		{"even if it comes at the second try", true, func() func(context.Context) error {
			begun := time.Now()
			return func(context.Context) error {
				if time.Since(begun) < time.Second {
					return errors.New("not yet")
				}
				return nil
			}
		}, []string{"note: " + insecure, "nothing unsound was found"}, false},
		{"but not for ever, and a note makes nothing else one", true, func() func(context.Context) error {
			return func(context.Context) error { return errors.New("no feed") }
		}, []string{"store: ", "feed: it was not read yet; ", "note: " + insecure}, true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := slow{memstore.New(), func(context.Context) error { return nil }}
				if tt.tail != nil {
					store.tail = tt.tail()
				}
				auth, err := core.New(core.Config{
					Store:  store,
					Keys:   []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
					Cookie: core.Cookie{Insecure: true},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer auth.Close()
				synctest.Wait() // the first read has begun
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var out strings.Builder
				err = console.Check(ctx, &out, auth, tt.local)
				if took := time.Since(begun); took > 30*time.Second {
					t.Errorf("it took %v", took)
				}
				if (err != nil) != tt.fails {
					t.Errorf("got error %v, want one: %v", err, tt.fails)
				}
				lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				same := len(lines) == len(tt.lines)
				for i := 0; same && i < len(lines); i++ {
					same = strings.HasPrefix(lines[i], tt.lines[i])
				}
				if !same {
					t.Errorf("got %q, want lines that begin with %q", lines, tt.lines)
				}
			})
		})
	}
}
