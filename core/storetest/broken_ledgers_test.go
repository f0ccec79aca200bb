package storetest_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var brokenLedgers = []broken{
	{
		name: "an unknown user is an error",
		how: func(b *bent) {
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				if err == nil && l.Version.IsZero() {
					err = errors.New("no rows in result set")
				}
				return l, err
			}
		},
		caught: []string{"ledger/unknown-user", "ledger/forget"},
		also:   []string{"ledger/users-are-bytes", "version/first", "wait/", "concurrent/no-lost-update", "sweep/over"},
	},
	{
		name: "an unknown session can't end",
		how: func(b *bent) {
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				stands, err := b.store.Load(ctx, user)
				if err != nil || stands.Version != c.If {
					return b.store.Commit(ctx, user, c)
				}
				for _, e := range c.End {
					if !strings.Contains(sessionIDs(stands), e.ID.String()) {
						return core.Ledger{}, errors.New("no such session")
					}
				}
				return b.store.Commit(ctx, user, c)
			}
		},
		caught: []string{"ledger/put-and-end"},
	},
	{
		name: "the end of one session is the end of all",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if len(c.End) > 0 {
					for _, s := range stands.Sessions {
						c.End = append(c.End, core.Ended{ID: s.ID})
					}
				}
			})
		},
		caught: []string{"ledger/put-and-end"},
		also:   []string{"ledger/memory-not-kept", "version/sent-again", "value/large-ledger"},
	},
	{
		name: "a list that is nil is cleared",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if c.Devices == nil {
					c.Devices = []core.KnownDevice{}
				}
			})
		},
		caught: []string{"ledger/lists"},
		also:   []string{"value/", "version/stale", "sweep/over"},
	},
	{
		name: "a list that is empty is left",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if len(c.Foreign) == 0 {
					c.Foreign = nil
				}
			})
		},
		caught: []string{"ledger/lists"},
	},
	{
		name: "a list is added to",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if len(c.Pending) > 0 {
					c.Pending = append(c.Pending, stands.Pending...)
				}
			})
		},
		caught: []string{"ledger/lists", "value/every-field"},
		also:   []string{"ledger/memory-not-kept", "version/", "value/", "context/done", "concurrent/load"},
	},
	{
		name: "sign-ins are kept once",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.SignIns = slices.Compact(slices.Clone(c.SignIns)) })
		},
		caught: []string{"ledger/sign-ins"},
	},
	{
		name:   "sign-ins are added to",
		how:    signIns(func(stands, given []time.Time) []time.Time { return slices.Concat(given, stands) }),
		caught: []string{"ledger/sign-ins", "value/every-field"},
		also:   []string{"ledger/", "version/", "context/", "concurrent/", "sweep/", "value/"},
	},
	{
		name: "sign-ins are the first first",
		how: signIns(func(_, given []time.Time) []time.Time {
			return slices.SortedFunc(slices.Values(given), time.Time.Compare)
		}),
		caught: []string{"ledger/sign-ins", "value/every-field"},
		also:   wholeLedgers,
	},
	{
		name:   "16 sign-ins at most",
		how:    signIns(func(_, given []time.Time) []time.Time { return given[:min(len(given), 16)] }),
		caught: []string{"ledger/sign-ins"},
	},
	{
		name: "sign-ins are lost by the next change",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.SignIns = append([]time.Time{}, c.SignIns...) })
		},
		caught: []string{"ledger/sign-ins"},
		also:   wholeLedgers,
	},
	{
		name: "no sign-ins leave those there are",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if len(c.SignIns) == 0 {
					c.SignIns = nil
				}
			})
		},
		caught: []string{"ledger/sign-ins"},
	},
	{
		name:   "reuse is not kept",
		how:    func(b *bent) { b.changing(func(_ core.Ledger, c *core.Change) { c.ReusedAt = time.Time{} }) },
		caught: []string{"ledger/times", "value/every-field"},
		also:   wholeLedgers,
	},
	{
		name: "reuse is lost by the next change",
		how: func(b *bent) {
			now := map[string]time.Time{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				if b.mu.Lock(); err == nil {
					now[user] = c.ReusedAt
				}
				b.mu.Unlock()
				return l, err
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				l.ReusedAt = now[user]
				return l, err
			}
		},
		caught: []string{"ledger/times"},
		also:   wholeLedgers,
	},
	{
		name: "reuse never goes back",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if c.ReusedAt.Before(stands.ReusedAt) {
					c.ReusedAt = time.Time{}
				}
			})
		},
		caught: []string{"ledger/times"},
	},
	{
		name: "a time that both have is that of the revocation",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if !c.RevokedAt.IsZero() {
					c.ReusedAt = c.RevokedAt
				}
			})
		},
		caught: []string{"ledger/times", "value/every-field"},
		also:   wholeLedgers,
	},
	{
		name: "networks are added to",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				if len(c.Networks) > 0 {
					c.Networks = slices.Concat(c.Networks, stands.Networks)
				}
			})
		},
		caught: []string{"ledger/lists"},
		also:   wholeLedgers,
	},
	{
		name: "Forget leaves the ledger",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				for _, s := range stands.Sessions {
					if c.Forget {
						c.End = append(c.End, core.Ended{ID: s.ID, Reason: core.ReasonForgotten})
					}
				}
				c.Forget = false
			})
		},
		caught: []string{"ledger/forget"},
		also:   []string{"ledger/users-are-bytes", "load-many/as-load"},
	},
	{
		name: "Forget publishes nothing",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				if c.Forget {
					c.Publish = nil
				}
			})
		},
		caught: []string{"ledger/forget"},
	},
	{
		name:   "case does not matter",
		how:    func(b *bent) { b.naming(strings.ToLower) },
		caught: []string{"ledger/users-are-bytes"},
	},
	{
		name:   "spaces do not matter",
		how:    func(b *bent) { b.naming(func(user string) string { return strings.TrimRight(user, " ") }) },
		caught: []string{"ledger/users-are-bytes"},
	},
	{
		name:   "accents are composed",
		how:    func(b *bent) { b.naming(strings.NewReplacer("o\u0301", "\u00f3").Replace) },
		caught: []string{"ledger/users-are-bytes"},
	},
	{
		name:   "ids are cut at 254 bytes",
		how:    func(b *bent) { b.naming(func(user string) string { return user[:min(len(user), 254)] }) },
		caught: []string{"ledger/users-are-bytes"},
	},
	{
		name:   "ids are paths",
		how:    func(b *bent) { b.naming(path.Clean) },
		caught: []string{"ledger/users-are-bytes"},
	},
	{
		name: "ids are hash tags",
		how: func(b *bent) {
			b.naming(func(user string) string {
				_, user, _ = strings.Cut("x{"+user, "{")
				if i := strings.LastIndex(user, "{"); i >= 0 && strings.HasSuffix(user, "}") {
					return user[i+1 : len(user)-1]
				}
				return user
			})
		},
		caught: []string{"ledger/users-are-bytes"},
	},
}

// signIns edits the sign-ins of every change that has some.
func signIns(edit func(stands, given []time.Time) []time.Time) func(b *bent) {
	return func(b *bent) {
		b.changing(func(stands core.Ledger, c *core.Change) {
			if len(c.SignIns) > 0 {
				c.SignIns = edit(stands.SignIns, c.SignIns)
			}
		})
	}
}

func sessionIDs(l core.Ledger) string {
	var ids []string
	for _, s := range l.Sessions {
		ids = append(ids, s.ID.String())
	}
	return strings.Join(ids, " ")
}
