package sqlstore_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// A row that can't be read is an error for its user, never a ledger without it, and
// nobody else notices.
func TestBrokenRows(t *testing.T) {
	texts := []string{
		"UPDATE user_sessions SET late_replays = '{' WHERE user_id = 'bob'",
		"UPDATE user_sessions SET amr = '[1]' WHERE user_id = 'bob'",
		"UPDATE user_sessions SET id = 'x' WHERE user_id = 'bob'",
		"UPDATE user_sessions SET access_jti = '!!!' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET version = 'x' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET pending = 'null, null' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET pending = '[{\"session\":{\"id\":\"x\"}}]' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET foreign_tokens = '{}' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET sign_ins = '[\"1\"]' WHERE user_id = 'bob'",
		"UPDATE user_session_ledgers SET networks = '[{\"asn\": -1}]' WHERE user_id = 'bob'",
	}
	ofSQLite := []string{
		"UPDATE user_sessions SET created_at = 'yesterday' WHERE user_id = 'bob'",
		"UPDATE user_sessions SET expires_at = 5 WHERE user_id = 'bob'",
		"UPDATE user_sessions SET generation = 'many' WHERE user_id = 'bob'",
		"UPDATE user_session_devices SET last_seen_at = x'ff' WHERE user_id = 'bob'",
	}
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		texts := texts
		if engine == "sqlite" {
			texts = slices.Concat(texts, ofSQLite)
		}
		for _, text := range texts {
			bob := raised("bob", core.Ledger{}, 1)
			for _, user := range []string{"alice", "bob"} {
				c := raised(user, core.Ledger{}, 1)
				if user == "bob" {
					c = bob
				}
				c.KeepUntil, c.Put[0].ExpiresAt = base.Add(48*time.Hour), base.Add(48*time.Hour)
				commit(t, d, user, c)
			}
			d.do(t, text)
			if l, err := d.Load(t.Context(), "bob"); err == nil {
				t.Errorf("%s: Load: got %d sessions and no error", text, len(l.Sessions))
			}
			if all, err := d.LoadMany(t.Context(), []string{"alice", "bob"}); err == nil {
				t.Errorf("%s: LoadMany: got %d ledgers and no error", text, len(all))
			}
			if _, err := d.Commit(t.Context(), "bob", raised("bob", core.Ledger{Version: newID()}, 2)); err == nil || errors.Is(err, core.ErrConflict) {
				t.Errorf("%s: Commit: got error %v", text, err)
			}
			if _, err := d.Sweep(t.Context(), base.Add(time.Hour), 1000); err != nil {
				t.Errorf("%s: Sweep: %v", text, err)
			}
			if n, err := tally(load(t, d, "alice")); n != 1 || err != nil {
				t.Errorf("%s: alice is at %d, %v", text, n, err)
			}
			for _, table := range []string{"sessions", "session_ledgers", "session_devices", "session_feed"} {
				d.do(t, "DELETE FROM user_"+table)
			}
		}
	})
}

// A row that can't be read does not keep what is over elsewhere.
func TestSweepBesideBrokenRows(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		for _, user := range []string{"alice", "bob"} {
			commit(t, d, user, raised(user, core.Ledger{}, 1))
		}
		d.do(t, "UPDATE user_sessions SET id = 'x' WHERE user_id = 'bob'")
		for range 2 {
			if _, err := d.Sweep(t.Context(), base.Add(2*time.Hour), 1000); err != nil {
				t.Errorf("Sweep: %v", err)
			}
		}
		if l := load(t, d, "alice"); !l.Version.IsZero() {
			t.Errorf("alice is at %v, want that her ledger has gone", l.Version)
		}
		if _, err := d.Purge(t.Context(), base.Add(2*time.Hour)); err != nil {
			t.Errorf("Purge: %v", err)
		}
		if n := ask[int](t, d, "SELECT COUNT(*) FROM user_sessions"); n != 0 {
			t.Errorf("%d sessions are left, want none", n)
		}
	})
}

// Events that others wrote are purged, whatever their times look like.
func TestPurgeForeignRows(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		for _, at := range []string{"2026-03-01 12:00:00", "2026-03-01", "2026-03-01 12:00:00.123456"} {
			d.do(t, "INSERT INTO user_session_events (happened_at, id, name, user_id, reason, device_id, ip_address, user_agent, token_hash, mode, cause, by_user, risk_score, not_durable, error) VALUES (?, ?, 'x', 'alice', '', '', '', '', '', '', '', '', 0, false, '')", at, newID().String())
		}
		if n, err := d.Purge(t.Context(), base.Add(time.Hour)); n != 3 || err != nil {
			t.Errorf("Purge: got %d and error %v, want 3", n, err)
		}
	})
}

// A row of the feed that can't be read is an error: whom it revokes nobody knows.
func TestBrokenFeed(t *testing.T) {
	texts := []string{"UPDATE user_session_feed SET session_id = 'x'", "UPDATE user_session_feed SET bucket = bucket + 16", "DELETE FROM user_session_buckets WHERE bucket = 3", "UPDATE user_session_buckets SET epoch_id = 'x'"}
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		from := tail(t, d, "").Next
		for _, text := range texts {
			user := newID().String()
			commit(t, d, user, change(user, core.ID{}))
			d.do(t, text)
			for _, cursor := range []core.Cursor{"", from} {
				if b, err := d.Tail(t.Context(), cursor, 0); err == nil && len(b.Events) == 0 {
					t.Errorf("%s: Tail: got %d revocations and no error", text, len(b.Events))
				}
			}
			d.do(t, "DELETE FROM user_session_feed")
			d.do(t, "DELETE FROM user_session_buckets")
			d.do(t, "DELETE FROM user_session_ledgers")
		}
	})
}
