package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/memstore"
)

// sample is the history of ordinary tests.
var sample = storetest.History{Seed: 1, Steps: 2000}

// A store with one mistake is caught by a history of the length that ordinary tests have.
func TestSameCatchesBrokenStores(t *testing.T) {
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long, and a history is of one goroutine")
	}
	for _, s := range slices.Concat(brokenSame, brokenSameFeeds) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // a Tail that waits in vain takes no time
				_, err := storetest.CheckSame(sample, map[string]core.Store{"broken": bend(s.how)})
				d := difference(t, err)
				if !slices.Contains(s.calls, d.Call) {
					t.Errorf("got it by %s, want by %v: %v", d.Call, s.calls, d)
				}
			})
		})
	}
}

// difference returns the one that there is, as long as it says what somebody needs who
// looks for the mistake.
func difference(t *testing.T, err error) *storetest.Difference {
	t.Helper()
	var d *storetest.Difference
	if !errors.As(err, &d) {
		t.Fatalf("got error %v, want a Difference", err)
	}
	if all := err.(interface{ Unwrap() []error }).Unwrap(); len(all) != 1 || d.Store != "broken" {
		t.Errorf("got %v, want one difference, of the store that is broken", err)
	}
	if n := len(d.Before); n == 0 || n > 21 || !strings.HasPrefix(d.Before[n-1], fmt.Sprintf("step %d: ", d.Step)) || len(d.Seen) == 0 {
		t.Errorf("got a report that does not end with its step or says nothing: %v", d)
	}
	return d
}

// The store that is broken is named, and the others go on. Whoever runs the history again
// gets the same difference at the same step.
func TestSameNamesTheStore(t *testing.T) {
	h := storetest.History{Seed: 2, Steps: 300}
	upper := oneUser(strings.ToUpper)
	seen, err := storetest.CheckSame(h, map[string]core.Store{"a": memstore.New(), "broken": bend(upper), "right": memstore.New()})
	d := difference(t, err)
	if d.User == "" || d.History != h || !strings.Contains(err.Error(), fmt.Sprintf("broken, seed 2, step %d: ", d.Step)) {
		t.Errorf("got %v, want the store, its user, the seed and the step", err)
	}
	_, err = storetest.CheckSame(h, map[string]core.Store{"broken": bend(upper)})
	if again := difference(t, err); again.Error() != d.Error() {
		t.Errorf("got %v the first time and then %v", d, again)
	}
	right, err := storetest.CheckSame(h, map[string]core.Store{"right": memstore.New()})
	if err != nil || seen != right {
		t.Errorf("got error %v and %v, want none and %v as with others beside it", err, right, seen)
	}
}

// A history is of its seed, and of nothing else.
func TestSameDigest(t *testing.T) {
	of := func(h storetest.History) string {
		t.Helper()
		seen, err := storetest.CheckSame(h, map[string]core.Store{"memory": memstore.New()})
		if err != nil {
			t.Fatal(err)
		}
		return seen.Digest
	}
	h := storetest.History{Seed: 3, Steps: 100}
	first := of(h)
	if again := of(h); again != first {
		t.Errorf("got digest %s and then %s", first, again)
	}
	if other := of(storetest.History{Seed: 4, Steps: 100}); other == first {
		t.Errorf("got digest %s of another seed too", first)
	}
	if other := of(storetest.History{Seed: 3, Steps: 101}); other == first {
		t.Errorf("got digest %s of another number of steps too", first)
	}
}

// caughtBy says which calls may be the first to show a mistake.
type caughtBy []string

var (
	anyLoad = caughtBy{"Load", "LoadMany", "Commit"} // Commit with ErrConflict returns a ledger as well
	anyTail = caughtBy{"Tail"}
)

// committing replaces Commit by something that is told what stands.
func committing(b *bent, f func(stands core.Ledger, user string, c core.Change) (core.Ledger, error)) {
	b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
		stands, _ := b.store.Load(ctx, user)
		return f(stands, user, c)
	}
}

// oneUser makes one user of all those whose ids have the same key, in LoadMany too.
func oneUser(key func(string) string) func(b *bent) {
	return func(b *bent) {
		b.naming(key)
		b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
			ledgers := map[string]core.Ledger{}
			for _, user := range users {
				if l, err := b.load(ctx, user); err != nil || !l.Version.IsZero() {
					ledgers[user] = l
				}
			}
			return ledgers, nil
		}
	}
}

// brokenHistory is a store with one mistake, and how a history shows it.
type brokenHistory struct {
	name  string
	how   func(b *bent)
	calls caughtBy
}

var brokenSame = []brokenHistory{
	{"user ids have no case", oneUser(strings.ToLower), anyLoad},
	{"user ids are trimmed at the end", oneUser(func(id string) string { return strings.TrimRight(id, " ") }), anyLoad},
	{
		"user ids are normalised",
		oneUser(func(id string) string {
			return strings.NewReplacer("o\u0301", "\u00f3", "A\u030a", "\u00c5", "\u212b", "\u00c5").Replace(id)
		}),
		anyLoad,
	},
	{"user ids have no accents", oneUser(strings.NewReplacer("\u00f3", "o", "\u0301", "", "\u00f2", "o").Replace), anyLoad},
	{"user ids fold as Unicode does", oneUser(func(id string) string { return strings.ToLower(strings.ToUpper(id)) }), anyLoad},
	{"all emoji are one", oneUser(func(id string) string {
		return strings.Map(func(r rune) rune {
			if r > 0xffff {
				return 0xfffd
			}
			return r
		}, id)
	}), anyLoad},
	{"user ids that are cut at 254 bytes", oneUser(func(id string) string { return id[:min(len(id), 254)] }), anyLoad},
	{"user ids without what can't be seen", oneUser(strings.NewReplacer("\u200b", "", "\u200d", "", "\ufeff", "").Replace), anyLoad},
	{"a number is a number", oneUser(func(id string) string {
		var n float64
		if got, _ := fmt.Sscanf(id+"\n", "%g\n", &n); got == 1 {
			return fmt.Sprint(n)
		}
		return id
	}), anyLoad},
	{"null is nobody", func(b *bent) {
		b.load = func(ctx context.Context, user string) (core.Ledger, error) {
			if user == "NULL" {
				return core.Ledger{}, nil
			}
			return b.store.Load(ctx, user)
		}
	}, anyLoad},
	{
		"user ids are patterns",
		func(b *bent) {
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				for other := range b.users {
					if is, _ := path.Match(user, other); is && l.Version.IsZero() {
						l, err = b.store.Load(ctx, other)
					}
				}
				return l, err
			}
		},
		anyLoad,
	},
	{
		"what is in braces is the key",
		oneUser(func(id string) string {
			if _, rest, open := strings.Cut(id, "{"); open {
				if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
					return tag
				}
			}
			return id
		}),
		anyLoad,
	},
	{"text is cut at 255 bytes", sessions(func(s *core.Session) { s.UserAgent = s.UserAgent[:min(len(s.UserAgent), 255)] }), anyLoad},
	{"times to the second", times(func(t time.Time) time.Time { return t.Truncate(time.Second) }), anyLoad},
	{"times to 2038", times(func(t time.Time) time.Time {
		if !t.IsZero() {
			t = time.Unix(int64(int32(t.Unix())), int64(t.Nanosecond())).UTC()
		}
		return t
	}), anyLoad},
	{"numbers are floating", sessions(func(s *core.Session) { s.MinSerial = uint64(float64(s.MinSerial)) }), anyLoad},
	{"claims are cut at 32 KiB", sessions(func(s *core.Session) { s.Claims = s.Claims[:min(len(s.Claims), 32<<10)] }), anyLoad},
	{"64 sessions at most", func(b *bent) {
		b.handingOut(func(_ string, l *core.Ledger) { l.Sessions = l.Sessions[:min(len(l.Sessions), 64)] })
	}, anyLoad},
	{
		"ended sessions stay",
		func(b *bent) { b.changing(func(_ core.Ledger, c *core.Change) { c.End = nil }) },
		anyLoad,
	},
	{
		"a session that ended does not come back",
		func(b *bent) {
			ended := map[string]bool{}
			committing(b, func(_ core.Ledger, user string, c core.Change) (core.Ledger, error) {
				c.Put = slices.DeleteFunc(slices.Clone(c.Put), func(s core.Session) bool { return ended[user+s.ID.String()] })
				stands, err := b.store.Commit(context.Background(), user, c)
				for _, e := range c.End {
					ended[user+e.ID.String()] = ended[user+e.ID.String()] || err == nil
				}
				return stands, err
			})
		},
		anyLoad,
	},
	{
		"a session is one user's",
		func(b *bent) {
			whose := map[core.ID]string{}
			committing(b, func(_ core.Ledger, user string, c core.Change) (core.Ledger, error) {
				c.Put = slices.DeleteFunc(slices.Clone(c.Put), func(s core.Session) bool {
					if whose[s.ID] == "" {
						whose[s.ID] = user
					}
					return whose[s.ID] != user
				})
				return b.store.Commit(context.Background(), user, c)
			})
		},
		anyLoad,
	},
	{
		"a list that is nil is empty",
		func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.Foreign = append([]core.RevokedToken{}, c.Foreign...) })
		},
		anyLoad,
	},
	{
		"a list that is empty is nil",
		func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if len(c.Devices) == 0 {
					c.Devices = nil
				}
			})
		},
		anyLoad,
	},
	{
		"a list is added to",
		func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if c.Pending != nil && c.If == stands.Version {
					c.Pending = slices.Concat(c.Pending, stands.Pending)
				}
			})
		},
		anyLoad,
	},
	{
		"sign-ins are kept once",
		signIns(func(_, given []time.Time) []time.Time { return slices.Compact(slices.Clone(given)) }),
		anyLoad,
	},
	{
		"sign-ins are the first first",
		signIns(func(_, given []time.Time) []time.Time {
			return slices.SortedFunc(slices.Values(given), time.Time.Compare)
		}),
		anyLoad,
	},
	{
		"23 sign-ins at most",
		signIns(func(_, given []time.Time) []time.Time { return given[:min(len(given), 23)] }),
		anyLoad,
	},
	{
		"no sign-ins leave those there are",
		func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if len(c.SignIns) == 0 {
					c.SignIns = nil
				}
			})
		},
		anyLoad,
	},
	{
		"reuse is a revocation",
		func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if !c.RevokedAt.IsZero() {
					c.ReusedAt = c.RevokedAt
				}
			})
		},
		anyLoad,
	},
	{
		"the number of a network is 31 bits",
		func(b *bent) {
			b.handingOut(func(_ string, l *core.Ledger) {
				for i := range l.Networks {
					l.Networks[i].ASN &= 1<<31 - 1
				}
			})
		},
		anyLoad,
	},
	{
		"device ids have no case",
		func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				has := map[string]bool{}
				c.Devices = slices.DeleteFunc(slices.Clone(c.Devices), func(d core.KnownDevice) bool {
					id := strings.ToLower(d.ID)
					had := has[id]
					has[id] = true
					return had
				})
			})
		},
		anyLoad,
	},
	{
		"devices outlive a Forget",
		func(b *bent) {
			devices := map[string][]core.KnownDevice{}
			committing(b, func(stands core.Ledger, user string, c core.Change) (core.Ledger, error) {
				first := stands.Version.IsZero() && c.If.IsZero()
				if first && c.Devices == nil && !c.Forget {
					c.Devices = devices[user]
				}
				if c.Forget && len(stands.Devices) > 0 {
					devices[user] = stands.Devices
				}
				return b.store.Commit(context.Background(), user, c)
			})
		},
		anyLoad,
	},
	{
		"a change that is sent again after a Forget is taken",
		func(b *bent) {
			took := map[core.ID]bool{}
			committing(b, func(stands core.Ledger, user string, c core.Change) (core.Ledger, error) {
				if took[c.ID] && !c.Forget && stands.Version.IsZero() {
					c.If = core.ID{}
				}
				l, err := b.store.Commit(context.Background(), user, c)
				took[c.ID] = took[c.ID] || err == nil
				return l, err
			})
		},
		caughtBy{"Commit"},
	},
	{
		"a change that is sent again is published again",
		func(b *bent) {
			committing(b, func(stands core.Ledger, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(context.Background(), user, c)
				if err == nil && stands.Version == c.ID && len(c.Publish) > 0 {
					b.publish(c.Publish...)
				}
				return l, err
			})
		},
		anyTail,
	},
	{
		"a change that is sent again conflicts",
		func(b *bent) {
			committing(b, func(stands core.Ledger, user string, c core.Change) (core.Ledger, error) {
				if stands.Version == c.ID && !c.ID.IsZero() {
					return stands, core.ErrConflict
				}
				return b.store.Commit(context.Background(), user, c)
			})
		},
		caughtBy{"Commit"},
	},
	{
		"who is known is not looked at with If zero",
		func(b *bent) {
			committing(b, func(stands core.Ledger, user string, c core.Change) (core.Ledger, error) {
				if c.If.IsZero() {
					c.If = stands.Version
				}
				return b.store.Commit(context.Background(), user, c)
			})
		},
		caughtBy{"Commit"},
	},
}
