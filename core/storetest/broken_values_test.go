package storetest_test

import (
	"reflect"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

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
