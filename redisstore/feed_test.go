package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// life is a store whose database has accidents.
type life struct {
	t      *testing.T
	client *redis.Client
	store  *redisstore.Store
	made   int
}

// lives runs a test on a server of its own, read by waiting and by polling.
func lives(t *testing.T, run func(*life)) {
	server := redistest.Start(t)
	for _, way := range readings {
		t.Run(way.name, func(t *testing.T) {
			client := server.Client(t)
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			run(&life{t: t, client: client, store: openAt(t, way.wrap(client), redisstore.Options{Buckets: 2})})
		})
	}
}

// readings are the ways to read the feed.
var readings = []struct {
	name string
	wrap func(redis.UniversalClient) redis.UniversalClient
}{
	{"waits", func(c redis.UniversalClient) redis.UniversalClient { return c }},
	{"polls", func(c redis.UniversalClient) redis.UniversalClient { return struct{ redis.UniversalClient }{c} }},
}

// revoke publishes a revocation that is over at a time, and returns it.
func (l *life) revoke(user string, until time.Time) core.Revocation {
	l.t.Helper()
	l.made++
	ledger, err := l.store.Load(l.t.Context(), user)
	if err != nil {
		l.t.Fatal(err)
	}
	r := core.Revocation{Session: newID(), MinSerial: core.AllSerials, Until: until.UTC().Truncate(time.Millisecond)}
	_, err = l.store.Commit(l.t.Context(), user, core.Change{
		ID: newID(), If: ledger.Version, At: time.Now().UTC().Truncate(time.Millisecond), KeepUntil: time.Now().Add(time.Hour), Publish: []core.Revocation{r},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (l *life) tail(after core.Cursor) core.Batch {
	l.t.Helper()
	b, err := l.store.Tail(l.t.Context(), after, time.Millisecond)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// feedOf returns the key of the feed that a user's revocations are in.
func (l *life) feedOf(user string) string {
	l.t.Helper()
	keys, err := l.client.Keys(l.t.Context(), "sp:{*}:u:"+user).Result()
	if err != nil || len(keys) != 1 {
		l.t.Fatal(keys, err)
	}
	return strings.TrimSuffix(keys[0], "u:"+user) + "feed"
}

func (l *life) do(args ...any) {
	l.t.Helper()
	if err := l.client.Do(l.t.Context(), args...).Err(); err != nil {
		l.t.Fatal(err)
	}
}

// entries returns the entries of a feed, oldest first.
func (l *life) entries(feed string) []redis.XMessage {
	l.t.Helper()
	all, err := l.client.XRange(l.t.Context(), feed, "-", "+").Result()
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// A reader is told when something may be missing between what it has read and what
// there is, and gets what there is; and is not told when nothing is.
func TestGaps(t *testing.T) {
	later := func() time.Time { return time.Now().Add(time.Hour) }
	for _, tt := range []struct {
		name    string
		unread  bool // carol's second revocation comes after the reader's last look
		happens func(l *life, feed string)
		reset   bool
		epoch   bool // a new one
		gone    bool // carol's revocations
	}{
		{name: "nothing", happens: func(*life, string) {}},
		{name: "nothing, with news", unread: true, happens: func(*life, string) {}},
		{name: "the database is emptied", happens: func(l *life, _ string) { l.do("FLUSHALL") }, reset: true, epoch: true, gone: true},
		{name: "the database is emptied, and goes on", happens: func(l *life, _ string) { l.do("FLUSHALL"); l.revoke("carol", later()) }, reset: true, epoch: true, gone: true},
		{name: "a feed is evicted", happens: func(l *life, feed string) { l.do("DEL", feed) }, reset: true, epoch: true, gone: true},
		{name: "a feed is evicted, and goes on", happens: func(l *life, feed string) { l.do("DEL", feed); l.revoke("carol", later()) }, reset: true, epoch: true, gone: true},
		{name: "all of a feed is trimmed", happens: func(l *life, feed string) { l.do("XTRIM", feed, "MAXLEN", 0) }, reset: true, epoch: true, gone: true},
		{name: "a failover loses the last entry, which was read", happens: func(l *life, feed string) {
			all := l.entries(feed)
			l.do("XDEL", feed, all[len(all)-1].ID)
		}, reset: true},
		{name: "a failover loses the last entry, which was read, and goes on", happens: func(l *life, feed string) {
			all := l.entries(feed)
			l.do("XDEL", feed, all[len(all)-1].ID)
			l.revoke("carol", later())
		}, reset: true},
		{name: "somebody trims what was not read", unread: true, happens: func(l *life, feed string) {
			l.do("XTRIM", feed, "MAXLEN", 1)
			l.revoke("carol", later())
			l.do("XTRIM", feed, "MAXLEN", 1)
		}, reset: true},
		{name: "somebody trims what was read", happens: func(l *life, feed string) { l.do("XTRIM", feed, "MAXLEN", 1) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lives(t, func(l *life) {
				l.tail("")
				l.revoke("carol", later())
				first := l.revoke("carol", later())
				kept := l.revoke("dave", later())
				if l.feedOf("carol") == l.feedOf("dave") {
					t.Fatal("carol and dave are in one bucket: take others")
				}
				before := l.tail("")
				if tt.unread {
					l.revoke("carol", later())
				}
				tt.happens(l, l.feedOf("carol"))
				b := l.tail(before.Next)
				if b.Reset != tt.reset || (b.Epoch != before.Epoch) != tt.epoch {
					t.Errorf("got Reset %t and epoch %v, want %t, and a new epoch: %t (before: %v)", b.Reset, b.Epoch, tt.reset, tt.epoch, before.Epoch)
				}
				whole := l.tail("")
				if tt.reset && !slices.Equal(b.Events, whole.Events) {
					t.Errorf("after Reset: got %v, want what the zero cursor gets, %v", b.Events, whole.Events)
				}
				if slices.Contains(whole.Events, first) && tt.gone {
					t.Error("what was lost is still there")
				}
				if !slices.Contains(whole.Events, kept) && !strings.Contains(tt.name, "emptied") {
					t.Error("the other bucket lost something")
				}
				again := l.tail(b.Next)
				if again.Reset || len(again.Events) > 0 || again.Epoch != b.Epoch {
					t.Errorf("from there on: got %+v, want nothing", again)
				}
			})
		})
	}
}

// What is over goes with later commits, a few at a time: a feed in use stays short,
// and who has read it to the end is not told.
func TestTrimming(t *testing.T) {
	lives(t, func(l *life) {
		stays := l.revoke("carol", time.Now().Add(time.Hour))
		feed := l.feedOf("carol")
		for range 20 {
			l.revoke("carol", time.Now().Add(-2*time.Minute))
		}
		after := l.tail("").Next
		for range 20 {
			l.revoke("carol", time.Now().Add(time.Hour))
			b := l.tail(after)
			if b.Reset || len(b.Events) != 1 {
				t.Fatalf("got %+v, want one more revocation", b)
			}
			after = b.Next
		}
		if n := len(l.entries(feed)); n < 22 { // the first is not over, and so nothing behind it goes
			t.Errorf("%d entries, want all", n)
		}
		l.age(feed, 25*time.Hour) // from here on it is not in the way
		for range 20 {
			l.revoke("carol", time.Now().Add(time.Hour))
		}
		if n := len(l.entries(feed)); n > 45 {
			t.Errorf("%d entries, want those that are not over", n)
		}
		if b := l.tail(""); !slices.Contains(b.Events, stays) {
			t.Error("what is not over has gone")
		}
	})
}

// age makes the entries of a feed older.
func (l *life) age(feed string, by time.Duration) {
	l.t.Helper()
	all := l.entries(feed)
	l.do("DEL", feed)
	id := func(id string) string {
		var ms, n int64
		if _, err := fmt.Sscanf(id, "%d-%d", &ms, &n); err != nil {
			l.t.Fatal(err)
		}
		return fmt.Sprintf("%d-%d", ms-by.Milliseconds(), n)
	}
	for _, e := range all {
		l.do("XADD", feed, id(e.ID), "e", e.Values["e"], "p", e.Values["p"], "u", e.Values["u"], "r", e.Values["r"])
	}
}

// Two processes on one Redis: what one revokes the other refuses.
func TestTwoProcesses(t *testing.T) {
	client := redistest.Local(t)
	key := []byte(newID().String() + newID().String())
	store := open(t, client)
	var auths [2]*core.Auth
	for i := range auths {
		auth, err := core.New(core.Config{Store: store, Keys: []core.Key{{Secret: key}}, Audit: func(context.Context, core.Event) {}})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		auths[i] = auth
	}
	pair, err := auths[0].SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auths[1].Verify(t.Context(), pair.AccessToken); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	if _, err := auths[1].Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}); err != nil {
		t.Fatalf("the other process: %v", err)
	}
	if err := auths[0].Revoke(t.Context(), "alice", pair.Session.ID, core.ReasonRevoked); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := auths[1].Verify(ctx, pair.AccessToken)
		if err != nil && err.Error() == core.ErrTokenRevoked.Error() {
			break
		}
		if err != nil || ctx.Err() != nil {
			t.Fatalf("the other process: got %v, %v, want ErrTokenRevoked in time", err, ctx.Err())
		}
	}
}
