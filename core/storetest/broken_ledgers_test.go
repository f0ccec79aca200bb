package storetest_test

import (
	"context"
	"errors"
	"path"
	"strings"

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

func sessionIDs(l core.Ledger) string {
	var ids []string
	for _, s := range l.Sessions {
		ids = append(ids, s.ID.String())
	}
	return strings.Join(ids, " ")
}
