package redisstore_test

import (
	"context"
	"errors"
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

// inAnHour is when most revocations here are over.
func inAnHour() time.Time { return time.Now().Add(time.Hour) }

// revokeAll publishes several revocations of one user.
func (l *life) revokeAll(user string, n int) []core.Revocation {
	l.t.Helper()
	var all []core.Revocation
	for range n {
		all = append(all, l.revoke(user, inAnHour()))
	}
	return all
}

// A replica that lacks what was acknowledged becomes master. Who has read what is
// lost is told, however much follows and under whatever ids; who has not goes on.
func TestRegressedFeed(t *testing.T) {
	const lost = 3
	for _, tt := range []struct {
		name   string
		before func(l *life) // the link is cut
		unread bool          // the reader has not seen what is lost
		whole  bool          // nothing is lost
		more   int           // revocations that follow on the new master
		reset  bool
	}{
		{name: "nothing is lost", whole: true},
		{name: "nothing is lost, and more follows", whole: true, more: 2},
		{name: "what was read is lost", reset: true},
		{name: "what was read is lost, and less follows", more: lost - 1, reset: true},
		{name: "what was read is lost, and as much follows", more: lost, reset: true},
		{name: "what was read is lost, and more follows", more: lost + 1, reset: true},
		// The clock of the old master was ahead: ids go on from the last that was
		// given, on whatever server.
		{name: "as much follows, under the same ids", before: ahead, more: lost, reset: true},
		{name: "more follows, under the same ids", before: ahead, more: lost + 1, reset: true},
		{name: "what was not read is lost", unread: true},
		{name: "what was not read is lost, and more follows", unread: true, more: 2},
		{name: "what was not read is lost, and more follows, under the same ids", before: ahead, unread: true, more: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pairs(t, func(l *life, pair *redistest.Pair) {
				t := l.t
				kept := l.revokeAll("carol", 2)
				other := l.revoke("dave", inAnHour()) // in the other bucket
				if tt.before != nil {
					tt.before(l)
				}
				first := l.tail("")
				if !tt.whole {
					pair.CutLink(t)
				}
				gone := l.revokeAll("carol", lost)
				read := l.tail(first.Next)
				if !slices.Equal(read.Events, gone) || read.Reset {
					t.Fatalf("before the failover: got %+v, want %v", read, gone)
				}
				from := read
				if tt.unread {
					from = first
				}
				if tt.whole {
					pair.CutLink(t) // now that the replica has all
				}
				pair.Promote(t)

				stands := append([]core.Revocation{other}, kept...)
				if tt.whole {
					stands = append(stands, gone...)
				}
				follows := l.revokeAll("carol", tt.more)
				b := l.tail(from.Next)
				want := follows
				if tt.reset {
					want = append(stands, follows...)
				}
				if b.Reset != tt.reset || !sameByUser(b.Events, want, other) {
					t.Errorf("got Reset %t and %d revocations, want %t and %d: %+v", b.Reset, len(b.Events), tt.reset, len(want), b.Events)
				}
				if b.Epoch != from.Epoch {
					t.Errorf("got epoch %v, want the one before, %v", b.Epoch, from.Epoch)
				}
				l.goesOn(b.Next)
			})
		})
	}
}

// ahead has ids go on from an hour ahead.
func ahead(l *life) {
	l.t.Helper()
	l.do("XSETID", l.feedOf("carol"), fmt.Sprintf("%d-0", inAnHour().UnixMilli()))
}

// sameByUser compares revocations of two users, of whom one has only this one.
func sameByUser(got, want []core.Revocation, one core.Revocation) bool {
	is := func(r core.Revocation) bool { return r == one }
	return slices.ContainsFunc(got, is) == slices.ContainsFunc(want, is) &&
		slices.Equal(slices.DeleteFunc(slices.Clone(got), is), slices.DeleteFunc(slices.Clone(want), is))
}

// goesOn says that from a cursor on comes what is revoked next, and only that.
func (l *life) goesOn(after core.Cursor) {
	l.t.Helper()
	for range 2 {
		for _, user := range []string{"carol", "dave"} {
			r := l.revoke(user, inAnHour())
			b := l.tail(after)
			if b.Reset || !slices.Equal(b.Events, []core.Revocation{r}) {
				l.t.Errorf("from there on: got %+v, want one more revocation, %v", b, r)
			}
			after = b.Next
		}
	}
}

// pairs runs a test on a master and its replica, read by waiting and by polling.
func pairs(t *testing.T, run func(*life, *redistest.Pair)) {
	for _, way := range readings {
		t.Run(way.name, func(t *testing.T) {
			pair := redistest.StartPair(t)
			client := pair.Client(t)
			run(&life{t: t, client: client, store: openAt(t, way.wrap(client), redisstore.Options{Buckets: 2})}, pair)
		})
	}
}

// A feed that began on a master, and not on the replica that followed it, begins
// again.
func TestFeedBegunInVain(t *testing.T) {
	pairs(t, func(l *life, pair *redistest.Pair) {
		t := l.t
		pair.CutLink(t)
		l.revoke("carol", inAnHour())
		first := l.tail("")
		pair.Promote(t)
		kept := l.revokeAll("carol", 1)
		b := l.tail(first.Next)
		if !b.Reset || b.Epoch == first.Epoch || !slices.Equal(b.Events, kept) {
			t.Errorf("got %+v, want Reset, another epoch than %v, and %v", b, first.Epoch, kept)
		}
		l.goesOn(b.Next)
	})
}

// A server that was restarted has what was on its disk: with nothing there, the
// feed begins again, and else goes on.
func TestRestart(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings []string
		empty    bool
	}{
		{name: "empty", empty: true},
		{name: "with all", settings: []string{"--appendonly", "yes", "--appendfsync", "always"}},
	} {
		for _, way := range readings {
			t.Run(tt.name+"/"+way.name, func(t *testing.T) {
				server := redistest.Start(t, tt.settings...)
				client := server.Client(t)
				l := &life{t: t, client: client, store: openAt(t, way.wrap(client), redisstore.Options{Buckets: 2})}
				revoked := l.revokeAll("carol", 2)
				first := l.tail("")
				server.Kill()
				if err := server.Restart(t); err != nil {
					t.Fatal(err)
				}
				b := l.tail(first.Next)
				if b.Reset != tt.empty || (b.Epoch != first.Epoch) != tt.empty || len(b.Events) > 0 {
					t.Errorf("got %+v, want Reset and a new epoch: %t (before: %v)", b, tt.empty, first.Epoch)
				}
				if has := slices.Equal(l.tail("").Events, revoked); has == tt.empty {
					t.Errorf("the revocations are there: %t", has)
				}
				l.goesOn(b.Next)
			})
		}
	}
}

// A server that is full and evicts what was not used for long (allkeys-lru) evicts
// feeds as well. Readers are told.
func TestEviction(t *testing.T) {
	for _, way := range readings {
		t.Run(way.name, func(t *testing.T) {
			client := redistest.Start(t, "--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru", "--maxmemory-samples", "10").Client(t)
			l := &life{t: t, client: client, store: openAt(t, way.wrap(client), redisstore.Options{Buckets: 2})}
			l.revokeAll("carol", 2)
			l.revoke("dave", inAnHour())
			first, feed := l.tail(""), l.feedOf("carol")
			filler, filled := strings.Repeat("x", 10_000), 0
			redistest.Eventually(t, func(ctx context.Context) error {
				if _, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
					for range 500 {
						filled++
						p.Set(ctx, fmt.Sprint("filler:", filled), filler, 0)
					}
					return nil
				}); err != nil {
					return err
				}
				n, err := client.Exists(ctx, feed).Result()
				if n > 0 {
					err = errors.New("the feed is still there")
				}
				return err
			})
			b := l.tail(first.Next)
			if !b.Reset || b.Epoch == first.Epoch {
				t.Errorf("after %d other keys: got %+v, want Reset and another epoch than %v", filled, b, first.Epoch)
			}
		})
	}
}

// A database that was emptied may be begun again with another number of buckets, by a
// process that was set up wrongly. The others notice: they would not see what it
// revokes.
func TestBucketsAfterAll(t *testing.T) {
	lives(t, func(l *life) {
		l.revoke("carol", inAnHour())
		first := l.tail("")
		l.do("FLUSHALL")
		other := openAt(l.t, l.client, redisstore.Options{Buckets: 3})
		if _, err := other.Tail(l.t.Context(), "", 0); err != nil {
			l.t.Fatal(err)
		}
		_, tails := l.store.Tail(l.t.Context(), first.Next, 0)
		_, loads := l.store.Load(l.t.Context(), "carol")
		for call, err := range map[string]error{"Tail": tails, "Load": loads} {
			if !errors.Is(err, redisstore.ErrBuckets) {
				l.t.Errorf("%s: got error %v, want ErrBuckets", call, err)
			}
		}
	})
}
