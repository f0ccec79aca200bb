package sqlstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// What ends stays as history: with the time and the reason of its end, whichever way
// it came, and the first end counts.
func TestHistoryOfSessions(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		signedOut, idle, lives, gone := session(base.Add(24*time.Hour)), session(base.Add(time.Hour)), session(base.Add(24*time.Hour)), session(base.Add(3*time.Hour))
		first := core.Change{ID: newID(), At: base, KeepUntil: base.Add(48 * time.Hour), Put: []core.Session{signedOut, idle, lives}}
		commit(t, d, "alice", first)
		second := core.Change{ID: newID(), If: first.ID, At: base.Add(time.Minute), KeepUntil: base.Add(48 * time.Hour), End: []core.Ended{
			{ID: signedOut.ID, Reason: core.ReasonSignedOut}, {ID: newID(), Reason: core.ReasonRevoked},
		}}
		commit(t, d, "alice", second)
		commit(t, d, "alice", core.Change{ID: newID(), If: second.ID, At: base.Add(2 * time.Minute), KeepUntil: base.Add(48 * time.Hour), End: []core.Ended{
			{ID: signedOut.ID, Reason: core.ReasonRevoked},
		}})
		commit(t, d, "bob", core.Change{ID: newID(), At: base, KeepUntil: base.Add(4 * time.Hour), Put: []core.Session{gone}, Devices: []core.KnownDevice{{Device: gone.Device}}})

		for range 2 {
			if _, err := d.Sweep(t.Context(), base.Add(2*time.Hour), 1000); err != nil {
				t.Fatal(err)
			}
		}
		if l := load(t, d, "alice"); len(l.Sessions) != 1 || l.Sessions[0].ID != lives.ID {
			t.Errorf("alice has %d sessions, want one", len(l.Sessions))
		}
		if _, err := d.Sweep(t.Context(), base.Add(5*time.Hour), 1000); err != nil {
			t.Fatal(err)
		}
		if l := load(t, d, "bob"); !l.Version.IsZero() {
			t.Errorf("bob has version %v, want none", l.Version)
		}
		if n := ask[int](t, d, "SELECT COUNT(*) FROM user_session_devices"); n != 0 {
			t.Errorf("%d devices are left of a ledger that is over", n)
		}
		for _, want := range []struct {
			id     core.ID
			reason core.Reason
			at     time.Time
		}{
			{signedOut.ID, core.ReasonSignedOut, base.Add(time.Minute)},
			{idle.ID, core.ReasonExpired, idle.ExpiresAt},
			{gone.ID, core.ReasonExpired, gone.ExpiresAt},
		} {
			if got := ask[string](t, d, "SELECT end_reason FROM user_sessions WHERE id = ?", want.id.String()); got != string(want.reason) {
				t.Errorf("got reason %q, want %q", got, want.reason)
			}
			text := want.at.Format("2006-01-02 15:04:05.000")
			if engine == "postgres" {
				text += "+00"
			}
			if ask[int](t, d, "SELECT COUNT(*) FROM user_sessions WHERE id = ? AND ended_at = ?", want.id.String(), text) != 1 {
				t.Errorf("the session that ended by %s: its time is not %s", want.reason, text)
			}
		}
	})
}

// Purge removes what ended before a time, in as many batches as that takes, and nothing
// else.
func TestPurge(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		var c core.Change
		for i := range 250 {
			c = core.Change{ID: newID(), If: c.ID, At: base, KeepUntil: base.Add(9000 * time.Hour), Put: []core.Session{session(base.Add(time.Duration(i) * time.Hour))}}
			commit(t, d, "alice", c)
		}
		if n, err := d.Sweep(t.Context(), base.Add(225*time.Hour), 1000); err != nil || n != 225 {
			t.Fatalf("Sweep: got %d and error %v, want 225", n, err)
		}
		for i, id := range []core.ID{newID(), newID()} {
			at := base.Add(time.Duration(i*300) * time.Hour).Format("2006-01-02 15:04:05.000")
			d.do(t, "INSERT INTO user_session_events (happened_at, id, name, user_id, reason, device_id, ip_address, user_agent, token_hash, mode, cause, by_user, risk_score, not_durable, error) VALUES (?, ?, 'signed_in', 'alice', '', '', '', '', '', '', '', '', 0, false, '')", at, id.String())
		}
		n, err := d.Purge(t.Context(), base.Add(210*time.Hour))
		if err != nil || n != 210+1 {
			t.Errorf("Purge: got %d and error %v, want 211", n, err)
		}
		if n := ask[int](t, d, "SELECT COUNT(*) FROM user_sessions"); n != 40 {
			t.Errorf("%d sessions are left, want 15 of history and 25 that go on", n)
		}
		if n := ask[int](t, d, "SELECT COUNT(*) FROM user_session_events"); n != 1 {
			t.Errorf("%d events are left, want 1", n)
		}
		if l := load(t, d, "alice"); len(l.Sessions) != 25 || l.Version != c.ID {
			t.Errorf("alice has %d sessions and version %v, want 25 and %v", len(l.Sessions), l.Version, c.ID)
		}
	})
}

// Rows without a ledger, as another live store leaves them, are history: no sign-in
// brings one back.
func TestLeftRows(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		left := session(base.Add(24 * time.Hour))
		first := core.Change{ID: newID(), At: base, KeepUntil: base.Add(48 * time.Hour), Put: []core.Session{left}}
		commit(t, d, "alice", first)
		d.do(t, "DELETE FROM user_session_ledgers")
		if l := load(t, d, "alice"); len(l.Sessions) != 0 || !l.Version.IsZero() {
			t.Errorf("got %d sessions and version %v, want none", len(l.Sessions), l.Version)
		}
		fresh := core.Change{ID: newID(), At: base, KeepUntil: base.Add(48 * time.Hour), Put: []core.Session{session(base.Add(24 * time.Hour))}}
		commit(t, d, "alice", fresh)
		if l := load(t, d, "alice"); len(l.Sessions) != 1 || l.Sessions[0].ID != fresh.Put[0].ID {
			t.Errorf("got %d sessions, want the new one", len(l.Sessions))
		}
	})
}

// Forget removes every row of a user, and of nobody else.
func TestForgetRows(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		for _, user := range []string{"bob", "Bob", "bob "} {
			c := change(user, core.ID{})
			c.Devices = []core.KnownDevice{{Device: core.Device{ID: "a"}}, {Device: core.Device{ID: "a"}}}
			c.Put = append(c.Put, session(base.Add(time.Hour)))
			commit(t, d, user, c)
			end := core.Change{ID: newID(), If: c.ID, At: base, KeepUntil: base.Add(48 * time.Hour), End: []core.Ended{{ID: c.Put[0].ID, Reason: core.ReasonRevoked}}}
			commit(t, d, user, end)
			d.do(t, "INSERT INTO user_session_events (happened_at, id, name, user_id, reason, device_id, ip_address, user_agent, token_hash, mode, cause, by_user, risk_score, not_durable, error) VALUES ('2026-03-01 12:00:00', ?, 'signed_in', ?, '', '', '', '', '', '', '', '', 0, false, '')", newID().String(), user)
			if user == "Bob" {
				commit(t, d, user, core.Change{ID: newID(), If: end.ID, At: base, Forget: true})
			}
		}
		for _, table := range []string{"user_sessions", "user_session_devices", "user_session_events"} {
			if n := ask[int](t, d, "SELECT COUNT(*) FROM "+table+" WHERE user_id = ?", "Bob"); n != 0 {
				t.Errorf("%s: %d rows are left of who was forgotten", table, n)
			}
			for _, user := range []string{"bob", "bob "} {
				if ask[int](t, d, "SELECT COUNT(*) FROM "+table+" WHERE user_id = ?", user) == 0 {
					t.Errorf("%s: no row is left of %q, who was not forgotten", table, user)
				}
			}
		}
	})
}

// A database that was emptied, or that fell back, is noticed by who has read further,
// and everything is read again.
func TestFeedThatFellBack(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		var published []core.Revocation
		publish := func(users ...string) {
			for _, user := range users {
				c := change(user, load(t, d, user).Version)
				commit(t, d, user, c)
				published = append(published, c.Publish...)
			}
		}
		users := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}
		publish(users...)
		kept := slices.Clone(published)
		backup := []string{"user_sessions", "user_session_ledgers", "user_session_buckets", "user_session_feed"}
		for _, table := range backup {
			d.do(t, "CREATE TABLE "+table+"_backup AS SELECT * FROM "+table)
		}
		publish(users...)
		read := tail(t, d, "")

		// Restored, and as many published again: the positions are the same ones.
		for _, table := range backup {
			d.do(t, "DELETE FROM "+table)
			d.do(t, "INSERT INTO "+table+" SELECT * FROM "+table+"_backup")
		}
		if b := tail(t, d, read.Next); !b.Reset || len(b.Events) != len(kept) {
			t.Errorf("after a restore: got Reset %t and %d revocations, want all %d", b.Reset, len(b.Events), len(kept))
		}
		published = kept
		publish(users...)
		publish(users...) // each bucket is past where it was read: only the chain tells
		b := tail(t, d, read.Next)
		if !b.Reset || len(sessionsOf(b.Events)) != len(published) {
			t.Errorf("after a restore and new revocations: got Reset %t and %d of them, want all %d", b.Reset, len(b.Events), len(published))
		}

		for _, table := range backup {
			d.do(t, "DELETE FROM "+table)
		}
		empty := tail(t, d, b.Next)
		if !empty.Reset || len(empty.Events) != 0 || !empty.Epoch.ID.IsZero() {
			t.Errorf("emptied: got Reset %t, %d revocations and epoch %v, want none", empty.Reset, len(empty.Events), empty.Epoch.ID)
		}
		first := change("alice", core.ID{})
		commit(t, d, "alice", first)
		if got := tail(t, d, empty.Next); got.Reset || got.Epoch.ID != first.ID || len(got.Events) != 1 {
			t.Errorf("begun again: got Reset %t, epoch %v and %d revocations, want the new one", got.Reset, got.Epoch.ID, len(got.Events))
		}
		if got := tail(t, d, b.Next); !got.Reset {
			t.Error("who read before the feed was emptied gets no Reset")
		}
	})
}

// A feed that begins again beside what is left of another one takes revocations, and
// readers get both.
func TestBucketsLost(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		c := change("alice", core.ID{})
		commit(t, d, "alice", c)
		read := tail(t, d, "")
		d.do(t, "DELETE FROM user_session_buckets")
		next := change("alice", c.ID)
		commit(t, d, "alice", next)
		for _, from := range []core.Cursor{"", read.Next} {
			b := tail(t, d, from)
			got := sessionsOf(b.Events)
			if len(b.Events) != 2 || !got[c.Publish[0].Session] || !got[next.Publish[0].Session] || b.Reset != (from != "") {
				t.Errorf("from %q: got Reset %t and %d revocations, want both", from, b.Reset, len(b.Events))
			}
		}
		last := change("alice", next.ID)
		end := tail(t, d, "").Next
		commit(t, d, "alice", last)
		if b := tail(t, d, end); b.Reset || len(b.Events) != 1 || b.Events[0].Session != last.Publish[0].Session {
			t.Errorf("got Reset %t and %d revocations, want the last one", b.Reset, len(b.Events))
		}
	})
}

// A connection that sees the database as it once was is not asked.
func TestAutocommitOff(t *testing.T) {
	d := migrated(t, sqltest.MariaDB(t))
	off := open(t, d.With("autocommit=0"), sqlstore.Options{})
	_, loads := off.Load(t.Context(), "alice")
	_, commits := off.Commit(t.Context(), "alice", change("alice", core.ID{}))
	_, tails := off.Tail(t.Context(), "", 0)
	for call, err := range map[string]error{"Load": loads, "Commit": commits, "Tail": tails} {
		if err == nil || !strings.Contains(err.Error(), "autocommit is off") {
			t.Errorf("%s: got error %v, want one about autocommit", call, err)
		}
	}
}
