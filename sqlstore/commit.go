package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// errMoved is why a change is not applied: the ledger has another version.
var errMoved = errors.New("sqlstore: the ledger has moved on")

// Commit implements [core.Store]. Deadlocks and failures to serialise are tried again
// until the time is up.
func (s *Store) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	type answer struct {
		stands   core.Ledger
		conflict bool
	}
	a, err := ask(ctx, s.tables, s.options.Timeout, func(ctx context.Context) (answer, error) {
		err := s.write(ctx, rangesOf(&c), func(tx conn) error { return s.apply(ctx, tx, userID, &c) })
		switch {
		case err == nil:
			s.committed(&c)
			return answer{}, nil
		case !errors.Is(err, errMoved):
			return answer{}, err
		}
		rows, err := s.read().query(ctx, &s.load, userID, userID, userID)
		ledgers, err := readLedgers(rows, err)
		if err != nil {
			return answer{}, err
		}
		switch stands := ledgers[userID]; stands.Version {
		case c.ID: // it was sent again
			return answer{}, nil
		case c.If: // it has moved back: somebody forgot, or swept
			return answer{}, errMoved
		default:
			return answer{stands, true}, nil
		}
	})
	switch {
	case err != nil:
		return core.Ledger{}, err
	case a.conflict:
		return a.stands, core.ErrConflict
	}
	return core.Ledger{}, nil
}

// rangesOf reports whether a change removes or ends what it does not name.
func rangesOf(c *core.Change) bool { return c.If.IsZero() || c.Devices != nil || c.Forget }

// apply does what a change says, in a transaction. Every change takes its locks in
// this order: the ledger, what is the user's, the bucket.
func (s *Store) apply(ctx context.Context, tx conn, userID string, c *core.Change) error {
	if err := s.applyLedger(ctx, tx, userID, c); err != nil {
		return err
	}
	switch {
	case c.Forget:
		if err := tx.forget(ctx, userID); err != nil {
			return err
		}
	default:
		if err := s.applyLists(ctx, tx, userID, c); err != nil {
			return err
		}
	}
	return s.applyFeed(ctx, tx, userID, c)
}

// applyLedger changes the row that has the version, if it still has the right one.
func (s *Store) applyLedger(ctx context.Context, tx conn, userID string, c *core.Change) error {
	e := s.engine
	var n int
	var err error
	switch {
	case c.If.IsZero():
		l := core.Ledger{
			Version: c.ID, At: c.At, RevokedAt: c.RevokedAt, ReusedAt: c.ReusedAt,
			SignIns: c.SignIns, Networks: c.Networks, Pending: c.Pending, Foreign: c.Foreign,
		}
		n, err = tx.exec(ctx, &s.insertLedger, append([]any{userID, e.value(&c.KeepUntil)}, e.values(ledgerFields(&l))...)...)
		if err != nil && e.there(err) {
			return errMoved
		}
	case !c.Forget:
		n, err = tx.exec(ctx, &s.updateLedger,
			e.value(&c.ID), e.value(&c.At), e.value(&c.RevokedAt), e.value(&c.ReusedAt), e.value(&c.KeepUntil),
			given(c.SignIns != nil), e.value(&c.SignIns), given(c.Networks != nil), e.value(&c.Networks),
			given(c.Pending != nil), e.value(&c.Pending), given(c.Foreign != nil), e.value(&c.Foreign),
			userID, c.If.String())
	}
	if c.Forget && err == nil {
		version := c.If
		if version.IsZero() { // what was inserted has kept others away
			if n == 0 {
				return errMoved
			}
			version = c.ID
		}
		n, err = tx.exec(ctx, &s.deleteLedger, userID, version.String())
	}
	if err == nil && n == 0 {
		err = errMoved
	}
	return err
}

// given is a condition in a statement.
func given(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (s *Store) applyLists(ctx context.Context, tx conn, userID string, c *core.Change) error {
	if c.If.IsZero() { // what was left of a user that nothing is known of
		if _, err := tx.exec(ctx, &s.endLeft, s.engine.value(&c.At), string(core.ReasonExpired), userID); err != nil {
			return err
		}
	}
	for i := range c.Put {
		if err := tx.put(ctx, userID, &c.Put[i]); err != nil {
			return err
		}
	}
	if err := tx.end(ctx, userID, c.End, c.At); err != nil {
		return err
	}
	if c.Devices == nil {
		return nil
	}
	if _, err := tx.exec(ctx, &s.dropDevices, userID); err != nil {
		return err
	}
	for i := range c.Devices {
		values := s.engine.values(deviceFields(&c.Devices[i]))
		if _, err := tx.exec(ctx, &s.putDevice, append([]any{userID, i}, values...)...); err != nil {
			return err
		}
	}
	return nil
}

// put writes a session that goes on. Its due_at, which is indexed, stays where it is if
// that is soon enough: Sweep puts it off.
func (c conn) put(ctx context.Context, userID string, s *core.Session) error {
	if c.engine.rewrites {
		args := append(c.engine.values(movingFields(s)), userID, s.ID.String(), c.engine.value(&s.ExpiresAt))
		if n, err := c.exec(ctx, &c.moveSession, append(args, c.engine.values(settledFields(s))...)...); err != nil || n > 0 {
			return err
		}
	}
	_, err := c.exec(ctx, &c.putSession, append([]any{userID, c.engine.value(&s.ExpiresAt), nil, ""}, c.engine.values(sessionFields(s))...)...)
	return err
}

// end ends sessions. Those that have ended stay as they are. Whole keys alone are
// named, so that nothing beside them is locked.
func (c conn) end(ctx context.Context, userID string, ended []core.Ended, at time.Time) error {
	for len(ended) > 0 {
		why, n := ended[0].Reason, 1
		for n < len(ended) && n < 100 && ended[n].Reason == why {
			n++
		}
		args := []any{string(why), c.engine.value(&at), userID}
		for _, e := range ended[:n] {
			args = append(args, e.ID.String())
		}
		if _, err := c.execText(ctx, "UPDATE user_sessions SET end_reason = CASE WHEN ended_at IS NULL THEN ? ELSE end_reason END, "+
			"ended_at = COALESCE(ended_at, ?) WHERE user_id = ? AND id IN ("+marks(n)+")", args...); err != nil {
			return err
		}
		ended = ended[n:]
	}
	return nil
}

// forget removes all that is a user's, but for the ledger and what the feed needs.
func (c conn) forget(ctx context.Context, userID string) error {
	for _, q := range []*query{&c.dropSessions, &c.dropDevices, &c.dropEvents} {
		if _, err := c.exec(ctx, q, userID); err != nil {
			return err
		}
	}
	return nil
}

// applyFeed appends what a change publishes, and begins the feed if it is the first.
// The bucket's row stays locked until the transaction is over: who comes next in the
// feed commits later.
func (s *Store) applyFeed(ctx context.Context, tx conn, userID string, c *core.Change) error {
	if len(c.Publish) == 0 {
		if s.begun.Load() {
			return nil
		}
		return tx.beginFeed(ctx, c)
	}
	bucket := bucketOf(userID)
	position, before, err := tx.next(ctx, bucket, c)
	if errors.Is(err, sql.ErrNoRows) {
		if err := tx.beginFeed(ctx, c); err != nil {
			return err
		}
		position, before, err = tx.next(ctx, bucket, c)
	}
	if err != nil {
		return err
	}
	for i := range c.Publish {
		values := s.engine.values(revocationFields(&c.Publish[i]))
		if _, err := tx.exec(ctx, &s.putRevocation, append([]any{bucket, position, i, c.ID.String(), before}, values...)...); err != nil {
			return err
		}
	}
	return nil
}

// next takes the next position of a bucket, and returns which change was there before.
// If there is no such bucket it returns sql.ErrNoRows.
func (c conn) next(ctx context.Context, bucket int, change *core.Change) (position int64, before string, err error) {
	q, args := &c.nextPosition, []any{change.ID.String(), bucket}
	if !c.engine.returning {
		// What another one begins meanwhile is not what was changed here.
		if n, err := c.exec(ctx, q, args...); err != nil {
			return 0, "", err
		} else if n == 0 {
			return 0, "", sql.ErrNoRows
		}
		q, args = &c.position, []any{bucket}
	}
	rows, err := c.query(ctx, q, args...)
	found := false
	err = each(rows, err, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&position, scan{&before})
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return position, before, err
}

// beginFeed makes the buckets, if there are none. They go on behind what may be left in
// the feed, as when somebody has emptied the one table and not the other.
func (c conn) beginFeed(ctx context.Context, change *core.Change) error {
	var left [feedBuckets]int64
	rows, err := c.queryText(ctx, "SELECT bucket, MAX(position) FROM user_session_feed GROUP BY bucket")
	err = each(rows, err, func(rows *sql.Rows) error {
		var bucket int
		var position int64
		if err := rows.Scan(&bucket, &position); err != nil {
			return err
		}
		if bucket >= 0 && bucket < feedBuckets {
			left[bucket] = position
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("beginning the feed: %w", err)
	}
	columns := []string{"bucket", "position", "change_id", "before_id", "epoch_id", "epoch_at"}
	var args []any
	for i, position := range left {
		args = append(args, i, position, "", "", change.ID.String(), c.engine.value(&change.At))
	}
	if _, err := c.execText(ctx, insertText("user_session_buckets", feedBuckets, columns...)+c.engine.passOver("bucket", "bucket"), args...); err != nil {
		return fmt.Errorf("beginning the feed: %w", err)
	}
	return nil
}

// committed takes note of a change that was committed here.
func (s *Store) committed(c *core.Change) {
	s.begun.Store(true)
	if len(c.Publish) == 0 {
		return
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	close(s.publish)
	s.publish = make(chan struct{})
}
