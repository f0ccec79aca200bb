package storetest_test

import (
	"context"
	"errors"
	"maps"
	"path"
	"reflect"
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
	{
		name: "hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[user]; err == nil && ok && k.Version == l.Version {
					return k, nil
				}
				kept[user] = l
				return l, err
			}
			b.sweep = func(ctx context.Context, before time.Time, limit int) (int, error) {
				b.mu.Lock()
				clear(kept)
				b.mu.Unlock()
				return b.store.Sweep(ctx, before, limit)
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "a conflict hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				b.mu.Lock()
				defer b.mu.Unlock()
				kept[user] = l
				return l, err
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[user]; err == nil && ok && k.Version == l.Version {
					return k, nil
				}
				return l, err
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "LoadMany hands out its memory",
		how: func(b *bent) {
			kept := map[string]core.Ledger{}
			b.many = func(ctx context.Context, users []string) (map[string]core.Ledger, error) {
				ledgers, err := b.store.LoadMany(ctx, users)
				for user, l := range ledgers {
					if k, ok := kept[user]; ok && k.Version == l.Version {
						ledgers[user] = k
					}
				}
				maps.Copy(kept, ledgers)
				return ledgers, err
			}
		},
		caught: []string{"load-many/memory-not-handed-out"},
	},
	{
		name: "the feed hands out its memory",
		how: func(b *bent) {
			kept := map[core.Cursor]core.Batch{}
			b.tail = func(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
				batch, err := b.store.Tail(ctx, after, wait)
				b.mu.Lock()
				defer b.mu.Unlock()
				if k, ok := kept[after]; ok && len(k.Events) == len(batch.Events) {
					batch.Events = k.Events
				}
				kept[after] = batch
				return batch, err
			}
		},
		caught: []string{"ledger/memory-not-handed-out"},
	},
	{
		name: "keeps what was handed in",
		how: func(b *bent) {
			kept := map[string]core.Change{}
			b.commit = func(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
				l, err := b.store.Commit(ctx, user, c)
				b.mu.Lock()
				defer b.mu.Unlock()
				if err == nil {
					kept[user] = c
				}
				return l, err
			}
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				if c := kept[user]; c.ID == l.Version && c.Devices != nil {
					l.Devices = c.Devices
				}
				return l.Clone(), err
			}
		},
		caught: []string{"ledger/memory-not-kept"},
	},
	{
		name: "keeps the claims that were handed in",
		how: func(b *bent) {
			kept := map[core.ID][]byte{}
			b.changing(func(_ core.Ledger, c *core.Change) {
				b.mu.Lock()
				defer b.mu.Unlock()
				for _, s := range c.Put {
					kept[s.ID] = s.Claims
				}
			})
			b.load = func(ctx context.Context, user string) (core.Ledger, error) {
				l, err := b.store.Load(ctx, user)
				b.mu.Lock()
				defer b.mu.Unlock()
				for i, s := range l.Sessions {
					if claims, ok := kept[s.ID]; ok && s.Claims != nil {
						l.Sessions[i].Claims = claims
					}
				}
				return l.Clone(), err
			}
		},
		caught: []string{"ledger/memory-not-kept"},
		also:   []string{"version/stale"},
	},
}

func sessionIDs(l core.Ledger) string {
	var ids []string
	for _, s := range l.Sessions {
		ids = append(ids, s.ID.String())
	}
	return strings.Join(ids, " ")
}

// times edits every time that is handed out.
func times(edit func(time.Time) time.Time) func(b *bent) {
	return func(b *bent) {
		b.handingOut(func(_ string, l *core.Ledger) { everyTime(reflect.ValueOf(l), edit) })
	}
}

// sessions edits every session that is put.
func sessions(edit func(s *core.Session)) func(b *bent) {
	return func(b *bent) {
		b.changing(func(_ core.Ledger, c *core.Change) {
			c.Put = append([]core.Session(nil), c.Put...)
			for i := range c.Put {
				edit(&c.Put[i])
			}
		})
	}
}

// wholeLedgers are the cases that look at every field of some ledger.
var wholeLedgers = []string{
	"ledger/", "value/", "version/", "context/", "concurrent/", "sweep/", "load-many/",
}

var brokenValues = []broken{
	{
		name:   "times to the second",
		how:    times(func(t time.Time) time.Time { return t.Truncate(time.Second) }),
		caught: []string{"value/every-field", "value/zero-fields", "version/is-the-change", "ledger/lists"},
		also:   wholeLedgers,
	},
	{
		name:   "local times",
		how:    times(func(t time.Time) time.Time { return t.In(time.FixedZone("CET", 3600)) }),
		caught: []string{"value/every-field", "value/zero-fields"},
		also:   wholeLedgers,
	},
	{
		name: "no time is 1970",
		how: times(func(t time.Time) time.Time {
			if t.IsZero() {
				return time.Unix(0, 0).UTC()
			}
			return t
		}),
		caught: []string{"value/zero-fields"},
		also:   wholeLedgers,
	},
	{
		name:   "claims are dropped",
		how:    sessions(func(s *core.Session) { s.Claims = nil }),
		caught: []string{"value/every-field", "value/large-ledger"},
		also:   wholeLedgers,
	},
	{
		name:   "claims are cut at 32 KiB",
		how:    sessions(func(s *core.Session) { s.Claims = s.Claims[:min(len(s.Claims), 32<<10)] }),
		caught: []string{"value/large-ledger"},
	},
	{
		name:   "claims are JSON, written anew",
		how:    sessions(func(s *core.Session) { s.Claims = []byte(strings.ReplaceAll(string(s.Claims), " ", "")) }),
		caught: []string{"value/every-field"},
		also:   wholeLedgers,
	},
	{
		name:   "roles are joined by commas",
		how:    sessions(func(s *core.Session) { s.Roles = strings.Split(strings.Join(s.Roles, ","), ",") }),
		caught: []string{"value/every-field"},
		also:   wholeLedgers,
	},
	{
		name:   "text is trimmed",
		how:    sessions(func(s *core.Session) { s.UserAgent = strings.TrimSpace(s.UserAgent) }),
		caught: []string{"value/every-field"},
		also:   wholeLedgers,
	},
	{
		name: "the risk of a pending sign-in is dropped",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) {
				c.Pending = append([]core.Pending(nil), c.Pending...)
				for i := range c.Pending {
					c.Pending[i].Session.Risk.Reasons = nil
				}
			})
		},
		caught: []string{"value/every-field"},
		also:   wholeLedgers,
	},
	{
		name:   "numbers are floating",
		how:    sessions(func(s *core.Session) { s.Serial = uint64(float64(s.Serial)) }),
		caught: []string{"value/every-field", "value/large-numbers"},
		also:   wholeLedgers,
	},
	{
		name: "what is zero is not written",
		how: func(b *bent) {
			b.changing(func(stands core.Ledger, c *core.Change) {
				c.Put = append([]core.Session(nil), c.Put...)
				for i, s := range c.Put {
					for _, old := range stands.Sessions {
						if s.ID == old.ID && s.MovedAt.IsZero() {
							c.Put[i].MovedAt = old.MovedAt
						}
					}
				}
			})
		},
		caught: []string{"value/zero-fields"},
	},
	{
		name: "64 sessions at most",
		how: func(b *bent) {
			b.changing(func(_ core.Ledger, c *core.Change) { c.Put = c.Put[:min(len(c.Put), 64)] })
		},
		caught: []string{"value/large-ledger"},
	},
	{
		name: "revocations take effect at once",
		how: func(b *bent) {
			b.publishing(func(list []core.Revocation) []core.Revocation {
				for i := range list {
					list[i].From = time.Time{}
				}
				return list
			})
		},
		caught: []string{"value/revocation"},
	},
	{
		name: "every revocation is of all serials",
		how: func(b *bent) {
			b.reading(func(_ core.Cursor, batch *core.Batch) {
				for i := range batch.Events {
					batch.Events[i].MinSerial = core.AllSerials
				}
			})
		},
		caught: []string{"value/revocation"},
	},
}
