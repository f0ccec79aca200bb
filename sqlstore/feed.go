package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// feedBuckets is into how many parts the feed is divided, so that changes which publish
// don't all wait for each other.
const feedBuckets = 16

// bucketOf is the bucket of a user.
func bucketOf(userID string) int {
	h := fnv.New32a()
	h.Write([]byte(userID))
	return int(h.Sum32() % feedBuckets)
}

// place is how far a bucket was read.
type place struct {
	Position int64  // of the change that was read last; 0: none
	Change   string // its id
}

// places are how far the feed was read. Its text is the cursor.
type places struct {
	Epoch core.ID // zero: the feed had not begun
	At    [feedBuckets]place
}

func (p *places) cursor() core.Cursor {
	b, _ := json.Marshal(p) // of text and numbers: it can't fail
	return core.Cursor(base64.RawURLEncoding.EncodeToString(b))
}

// placesAt reads a cursor; nil: it is not one of ours.
func placesAt(cursor core.Cursor) *places {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(cursor))
	if err != nil {
		return nil
	}
	p := new(places)
	if json.Unmarshal(b, p) != nil || p.cursor() != cursor {
		return nil
	}
	return p
}

// errGap is why the feed has to be read from its beginning.
var errGap = errors.New("sqlstore: the feed has a gap")

// Tail implements [core.Store]. Revocations of one user come in the order of their
// commits. What is published in this process is seen at once, what is published
// elsewhere within Options.PollInterval.
func (s *Store) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	at := placesAt(after)
	if at == nil {
		return s.whole(ctx, after != "")
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	poll := time.NewTicker(s.options.PollInterval)
	defer poll.Stop()
	for waited := wait <= 0; ; {
		s.publishing.Lock()
		published := s.publish
		s.publishing.Unlock()
		b, err := ask(ctx, s.tables, s.options.Timeout, func(ctx context.Context) (core.Batch, error) { return s.follow(ctx, *at) })
		switch {
		case errors.Is(err, errGap):
			return s.whole(ctx, true)
		case err != nil || len(b.Events) > 0 || waited:
			return b, err
		}
		select {
		case <-published:
		case <-poll.C:
		case <-over.C:
			waited = true
		case <-ctx.Done():
			return core.Batch{}, ctx.Err()
		}
	}
}

// ends is where the feed ends, and what it is.
func (s *Store) ends(ctx context.Context) (core.Epoch, [feedBuckets]place, error) {
	var epoch core.Epoch
	var at [feedBuckets]place
	if err := s.begin(ctx); err != nil {
		return epoch, at, err
	}
	n := 0
	rows, err := s.read().query(ctx, &s.buckets)
	err = each(rows, err, func(rows *sql.Rows) error {
		var bucket int
		var end place
		if err := rows.Scan(&bucket, &end.Position, scan{&end.Change}, scan{&epoch.ID}, scan{&epoch.Began}); err != nil {
			return err
		}
		if bucket != n || n == feedBuckets {
			return errStored
		}
		at[n] = end
		n++
		return nil
	})
	if err == nil && n != 0 && n != feedBuckets {
		err = errStored
	}
	if err == nil && n == 0 {
		s.begun.Store(false)
	}
	return epoch, at, err
}

// follow reads what comes after a place. Where each bucket ends is read first: what
// comes later is left for the next time, and all that came before is there.
func (s *Store) follow(ctx context.Context, p places) (core.Batch, error) {
	epoch, ends, err := s.ends(ctx)
	if err != nil {
		return core.Batch{}, err
	}
	if p.Epoch != epoch.ID && !p.Epoch.IsZero() {
		return core.Batch{}, errGap
	}
	var where []string
	var args []any
	for i, end := range ends {
		switch at := p.At[i]; {
		case end == at:
		case end.Position <= at.Position: // it has fallen back
			return core.Batch{}, errGap
		default:
			where = append(where, "bucket = ? AND position > ? AND position <= ?")
			args = append(args, i, at.Position, end.Position)
		}
	}
	var events []core.Revocation
	if len(where) > 0 {
		if events, err = s.revocations(ctx, &p, where, args); err != nil {
			return core.Batch{}, err
		}
	}
	if p.At != ends {
		return core.Batch{}, errGap
	}
	p.Epoch = epoch.ID
	return core.Batch{Events: events, Next: p.cursor(), Epoch: epoch}, nil
}

// revocations reads what follows a place, which it moves. Each change names the one
// before, or there is a gap.
func (s *Store) revocations(ctx context.Context, p *places, where []string, args []any) ([]core.Revocation, error) {
	var events []core.Revocation
	rows, err := s.read().queryText(ctx, s.feedText(where), args...)
	err = each(rows, err, func(rows *sql.Rows) error {
		var row feedRow
		if err := row.scan(rows); err != nil {
			return err
		}
		at := &p.At[row.bucket]
		if row.position != at.Position {
			if row.before != at.Change {
				return errGap
			}
			*at = place{row.position, row.change}
		}
		events = append(events, row.revocation)
		return nil
	})
	return events, err
}

// feedText reads a part of the feed.
func (s *Store) feedText(where []string) string {
	columns := mapped(revocationFields(new(core.Revocation)), s.engine.column)
	text := "SELECT bucket, position, change_id, before_id, " + strings.Join(columns, ", ") + " FROM user_session_feed"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " OR ")
	}
	return text + " ORDER BY bucket, position, part"
}

// feedRow is a row of the feed.
type feedRow struct {
	bucket         int
	position       int64
	change, before string
	revocation     core.Revocation
}

func (r *feedRow) scan(rows *sql.Rows) error {
	at := []any{&r.bucket, &r.position, scan{&r.change}, scan{&r.before}}
	if err := rows.Scan(append(at, scanned(revocationFields(&r.revocation))...)...); err != nil {
		return err
	}
	if r.bucket < 0 || r.bucket >= feedBuckets {
		return errStored
	}
	return nil
}

// whole reads the whole feed.
func (s *Store) whole(ctx context.Context, reset bool) (core.Batch, error) {
	return ask(ctx, s.tables, s.options.Timeout, func(ctx context.Context) (core.Batch, error) {
		epoch, ends, err := s.ends(ctx)
		if err != nil {
			return core.Batch{}, err
		}
		p := places{epoch.ID, ends}
		var events []core.Revocation
		rows, err := s.read().queryText(ctx, s.feedText(nil))
		err = each(rows, err, func(rows *sql.Rows) error {
			var row feedRow
			if err := row.scan(rows); err != nil {
				return err
			}
			if row.position <= ends[row.bucket].Position { // what comes later is for the next time
				events = append(events, row.revocation)
			}
			return nil
		})
		if err != nil {
			return core.Batch{}, err
		}
		return core.Batch{Events: events, Next: p.cursor(), Epoch: epoch, Reset: reset}, nil
	})
}
