package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// As much as there can be goes through one change, and comes back.
func TestBigProof(t *testing.T) {
	long(t)
	size, users := 1<<10, 300
	if proof() {
		size, users = 1<<16, 10_000
	}
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		user := strings.Repeat("\U0010ffff", 63)
		c := core.Change{ID: newID(), At: base, KeepUntil: base.Add(time.Hour)}
		for i := range 256 {
			s := session(base.Add(time.Hour))
			s.Claims = []byte(`{"a":"` + strings.Repeat("x", size) + `"}`)
			s.UserAgent = `'; DROP TABLE user_sessions; -- \' "` + fmt.Sprint(i)
			c.Put = append(c.Put, s)
		}
		for range 1000 {
			c.Publish = append(c.Publish, revocation(user))
		}
		commit(t, d, user, c)
		l := load(t, d, user)
		if len(l.Sessions) != 256 {
			t.Fatalf("got %d sessions, want 256", len(l.Sessions))
		}
		want := map[core.ID]core.Session{}
		for _, s := range c.Put {
			want[s.ID] = s
		}
		for _, s := range l.Sessions {
			if w := want[s.ID]; !bytes.Equal(s.Claims, w.Claims) || s.UserAgent != w.UserAgent {
				t.Fatalf("got other claims or user agent %q, want %q", s.UserAgent, w.UserAgent)
			}
		}
		for i, r := range tail(t, d, "").Events {
			if r.Session != c.Publish[i].Session {
				t.Fatalf("revocation %d is another", i)
			}
		}
		ids := []string{user, user}
		for i := range users {
			ids = append(ids, fmt.Sprint("nobody", i/2))
		}
		all, err := d.LoadMany(t.Context(), ids)
		if err != nil || len(all) != 1 || len(all[user].Sessions) != 256 {
			t.Errorf("LoadMany: got %d ledgers and error %v, want one", len(all), err)
		}
		var end core.Change
		end.ID, end.If, end.At, end.KeepUntil = newID(), c.ID, base, base.Add(time.Hour)
		for _, s := range c.Put {
			end.End = append(end.End, core.Ended{ID: s.ID, Reason: core.ReasonRevoked})
		}
		commit(t, d, user, end)
		if l := load(t, d, user); len(l.Sessions) != 0 {
			t.Errorf("%d sessions go on, want none", len(l.Sessions))
		}
	})
}

// What a server's limits on packets and on time refuse is an error, and nothing of it is
// there.
func TestRefusedWhole(t *testing.T) {
	long(t)
	for engine, options := range map[string]string{"mariadb": "maxAllowedPacket=65536", "postgres": "statement_timeout=1"} {
		t.Run(engine, func(t *testing.T) {
			d := newDesk(t, engine)
			s := open(t, d.With(options), sqlstore.Options{Timeout: 2 * time.Second})
			from := tail(t, d, "").Next
			for range 20 {
				user := newID().String()
				c := change(user, core.ID{})
				for range 20 {
					one := session(base.Add(time.Hour))
					one.Claims = []byte(`{"a":"` + strings.Repeat("x", 1<<16) + `"}`)
					c.Put = append(c.Put, one)
				}
				_, err := s.Commit(t.Context(), user, c)
				l := load(t, d, user)
				b := tail(t, d, from)
				from = b.Next
				switch {
				case errors.Is(err, core.ErrConflict):
					t.Errorf("got error %v", err)
				case err != nil && (!l.Version.IsZero() || len(b.Events) > 0), err == nil && (len(l.Sessions) != 21 || len(b.Events) != 1):
					t.Errorf("got error %v, and %d sessions and %d revocations", err, len(l.Sessions), len(b.Events))
				}
			}
		})
	}
}
