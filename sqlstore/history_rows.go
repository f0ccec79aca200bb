package sqlstore

import (
	"context"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// record writes records. Between two that forget a user no session is twice.
func (c conn) record(ctx context.Context, batch []*entry) error {
	for len(batch) > 0 {
		n := slices.IndexFunc(batch, func(e *entry) bool { return e.kind == ofForget })
		if n == 0 {
			if err := c.forget(ctx, batch[0].user); err != nil {
				return err
			}
			batch = batch[1:]
			continue
		}
		if n < 0 {
			n = len(batch)
		}
		if err := c.recordSome(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// recordSome writes records of which none forgets a user.
func (c conn) recordSome(ctx context.Context, batch []*entry) error {
	var puts, ends []*entry
	var events [][]any
	for _, e := range batch {
		if e.row != nil {
			puts = append(puts, e)
		}
		if e.kind == ofSession && !e.endedAt.IsZero() {
			ends = append(ends, e)
		}
		if e.event != nil {
			events = append(events, c.engine.values(eventFields(e.event)))
		}
	}
	inOrder := func(a, b *entry) int { // in which processes lock rows
		if n := strings.Compare(a.user, b.user); n != 0 {
			return n
		}
		return slices.Compare(a.session[:], b.session[:])
	}
	slices.SortFunc(puts, inOrder)
	slices.SortFunc(ends, inOrder)
	columns := append([]string{"due_at"}, columnsOf(sessionFields(new(core.Session)))[1:]...)
	rows := mapped(puts, func(e *entry) []any { return c.sessionRow(e.user, nil, "", e.row) })
	if err := c.insert(ctx, "user_sessions", c.sessionColumns(), rows, c.engine.overOlder(columns)); err != nil {
		return err
	}
	if err := c.recordEnds(ctx, ends); err != nil {
		return err
	}
	return c.insert(ctx, "user_session_events", columnsOf(eventFields(new(eventRow))), events, c.engine.passOver("happened_at, id", "id"))
}

// recordEnds ends sessions as end does, many in one statement. Of one that has no row
// there is little to tell.
func (c conn) recordEnds(ctx context.Context, ends []*entry) error {
	var rows [][]any
	var named []string
	var expired []any
	for _, e := range ends {
		rows = append(rows, c.sessionRow(e.user, c.engine.value(&e.endedAt), string(e.reason), &core.Session{ID: e.session}))
		if e.reason != core.ReasonExpired {
			named = append(named, "(user_id = ? AND id = ?)")
			expired = append(expired, e.user, e.session.String())
		}
	}
	if len(named) > 0 { // it went on when Sweep found it over
		if _, err := c.execText(ctx, "UPDATE user_sessions SET ended_at = NULL, end_reason = '' WHERE end_reason = 'expired' AND ("+
			strings.Join(named, " OR ")+")", expired...); err != nil {
			return err
		}
	}
	return c.insert(ctx, "user_sessions", c.sessionColumns(), rows, c.engine.overOpen)
}

func (c conn) sessionColumns() []string {
	return append([]string{"user_id", "ended_at", "end_reason", "due_at"}, columnsOf(sessionFields(new(core.Session)))...)
}

func (c conn) sessionRow(user string, endedAt any, reason string, s *core.Session) []any {
	return append([]any{user, endedAt, reason, c.engine.value(&s.ExpiresAt)}, c.engine.values(sessionFields(s))...)
}

// insert inserts rows, in statements of few sizes.
func (c conn) insert(ctx context.Context, table string, columns []string, rows [][]any, otherwise string) error {
	for n := 64; len(rows) > 0; {
		for n > len(rows) {
			n /= 2
		}
		if _, err := c.execText(ctx, insertText(table, n, columns...)+otherwise, slices.Concat(rows[:n]...)...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
