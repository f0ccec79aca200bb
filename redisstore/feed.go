package redisstore

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// place is how far a bucket's feed was read.
type place struct {
	Epoch string // as in the entries
	Last  string // id of the entry that was read last
	Mark  string // its mark, which the next entry has to name
}

// places is how far the feed was read, bucket by bucket. Its text is the cursor.
type places []place

func (p places) cursor() core.Cursor {
	words := make([][]byte, 0, 3*len(p))
	for _, at := range p {
		words = append(words, []byte(at.Epoch), []byte(at.Last), []byte(at.Mark))
	}
	b, _ := json.Marshal(words) // of bytes: it can't fail
	return core.Cursor(base64.RawURLEncoding.EncodeToString(b))
}

// placesAt reads a cursor; nil: it is not one of ours.
func placesAt(cursor core.Cursor, buckets int) places {
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(cursor))
	if err != nil {
		return nil
	}
	var words [][]byte
	if json.Unmarshal(b, &words) != nil || len(words) != 3*buckets {
		return nil
	}
	p := make(places, buckets)
	for i := range p {
		p[i] = place{string(words[3*i]), string(words[3*i+1]), string(words[3*i+2])}
	}
	if p.cursor() != cursor {
		return nil
	}
	return p
}

// epoch is what the epochs of all buckets come to: it changes with each of them,
// and vouches for no token that one of them does not vouch for.
func (p places) epoch() (core.Epoch, error) {
	var e core.Epoch
	h := sha256.New()
	for _, at := range p {
		if len(at.Epoch) <= 16 {
			return e, errPacked
		}
		h.Write([]byte(at.Epoch[:16]))
		ms, err := strconv.ParseInt(at.Epoch[16:], 10, 64)
		if err != nil {
			return e, errPacked
		}
		if began := time.UnixMilli(ms).UTC(); began.After(e.Began) {
			e.Began = began
		}
	}
	copy(e.ID[:], h.Sum(nil))
	return e, nil
}

// errGap is why the feed has to be read from its beginning.
var errGap = errors.New("redisstore: the feed has a gap")

// read takes in entries that follow.
func (p places) read(bucket int, entries []redis.XMessage) ([]core.Revocation, error) {
	var all []core.Revocation
	at := &p[bucket]
	for _, e := range entries {
		if before, _ := e.Values["p"].(string); before != at.Mark { // "" in a new epoch
			return nil, errGap
		}
		events, err := revocationsIn(e)
		if err != nil {
			return nil, err
		}
		all, at.Last, at.Mark = append(all, events...), e.ID, mark(e)
	}
	return all, nil
}

// mark is the mark of an entry, as commit.lua makes it.
func mark(e redis.XMessage) string {
	before, _ := e.Values["p"].(string)
	epoch, _ := e.Values["e"].(string)
	packed, _ := e.Values["r"].(string)
	sum := sha1.Sum([]byte(e.ID + before + epoch + packed))
	return hex.EncodeToString(sum[:8])
}

func revocationsIn(e redis.XMessage) ([]core.Revocation, error) {
	packed, _ := e.Values["r"].(string)
	if packed == "" { // it only begins an epoch
		return nil, nil
	}
	return readList(packed, (*codec).revocation)
}

// slice is how long one read waits: a client's connection is not given back
// earlier, whatever happens to the caller.
const slice = 500 * time.Millisecond

// Tail implements [core.Store]. Revocations of one user come in the order of
// their commits. One that is kept for more than a day may come again.
func (s *Store) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if err := s.begin(ctx); err != nil {
		return core.Batch{}, err
	}
	at := placesAt(after, s.options.Buckets)
	if at == nil {
		return s.snapshot(ctx, after != "")
	}
	follow, step := s.poll, s.options.PollInterval
	if client, ok := s.client.(*redis.Client); ok {
		follow, step = s.block(client), slice
	}
	var events []core.Revocation
	var err error
	for {
		events, err = follow(ctx, at, min(wait, step))
		if wait -= step; err != nil || len(events) > 0 || wait <= 0 {
			break
		}
	}
	if err == nil {
		err = s.verify(ctx, at)
	}
	switch {
	case errors.Is(err, errGap):
		return s.snapshot(ctx, true)
	case err != nil:
		return core.Batch{}, err
	}
	epoch, err := at.epoch()
	return core.Batch{Events: events, Next: at.cursor(), Epoch: epoch}, err
}

// block returns what waits for the feeds of all buckets at once, as one server
// can.
func (s *Store) block(client *redis.Client) func(context.Context, places, time.Duration) ([]core.Revocation, error) {
	return func(ctx context.Context, at places, wait time.Duration) ([]core.Revocation, error) {
		args := redis.XReadArgs{Streams: make([]string, 2*len(at)), Block: -1}
		if wait >= time.Millisecond { // 0 would be for ever
			args.Block = wait
		}
		buckets := make(map[string]int, len(at))
		for i := range at {
			key := s.feedKey(i)
			args.Streams[i], args.Streams[len(at)+i], buckets[key] = key, at[i].Last, i
		}
		streams, err := call(ctx, s, wait+s.options.Timeout, func(ctx context.Context) ([]redis.XStream, error) {
			streams, err := client.XRead(ctx, &args).Result()
			if errors.Is(err, redis.Nil) {
				err = nil
			}
			return streams, err
		})
		if err != nil {
			return nil, err
		}
		var events []core.Revocation
		for _, stream := range streams {
			more, err := at.read(buckets[stream.Stream], stream.Messages)
			if err != nil {
				return nil, err
			}
			events = append(events, more...)
		}
		return events, nil
	}
}

// poll reads the feeds of all buckets, and if there is nothing waits a moment.
func (s *Store) poll(ctx context.Context, at places, wait time.Duration) ([]core.Revocation, error) {
	feeds, err := s.each(ctx, func(ctx context.Context, p redis.Pipeliner, bucket int, key string) {
		p.XRange(ctx, key, "("+at[bucket].Last, "+")
	})
	if err != nil {
		return nil, err
	}
	var events []core.Revocation
	for i, entries := range feeds {
		more, err := at.read(i, entries)
		if err != nil {
			return nil, err
		}
		events = append(events, more...)
	}
	if len(events) > 0 || wait <= 0 {
		return events, nil
	}
	pause := time.NewTimer(wait)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// verify makes sure that what was read is still there: a feed that was emptied, or
// that fell back in a failover, has nothing that would follow.
func (s *Store) verify(ctx context.Context, at places) error {
	feeds, err := s.each(ctx, func(ctx context.Context, p redis.Pipeliner, _ int, key string) {
		p.XRevRangeN(ctx, key, "+", "-", 1)
	})
	if err != nil {
		return err
	}
	for i, last := range feeds {
		if len(last) == 0 || last[0].Values["e"] != at[i].Epoch || earlier(last[0].ID, at[i].Last) ||
			last[0].ID == at[i].Last && mark(last[0]) != at[i].Mark {
			return errGap
		}
	}
	return nil
}

// earlier reports whether one id of an entry comes before another.
func earlier(a, b string) bool {
	ms := func(id string) (ms, n uint64) {
		first, second, _ := strings.Cut(id, "-")
		ms, _ = strconv.ParseUint(first, 10, 64)
		n, _ = strconv.ParseUint(second, 10, 64)
		return ms, n
	}
	ams, an := ms(a)
	bms, bn := ms(b)
	return ams < bms || ams == bms && an < bn
}

// each asks for entries of the feed of each bucket, in one round trip to each
// server.
func (s *Store) each(ctx context.Context, ask func(context.Context, redis.Pipeliner, int, string)) ([][]redis.XMessage, error) {
	cmds, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) ([]redis.Cmder, error) {
		return s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range s.options.Buckets {
				ask(ctx, p, i, s.feedKey(i))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	feeds := make([][]redis.XMessage, len(cmds))
	for i, cmd := range cmds {
		feeds[i] = cmd.(*redis.XMessageSliceCmd).Val()
	}
	return feeds, nil
}

// snapshot reads the whole feed, and begins what has not begun.
func (s *Store) snapshot(ctx context.Context, reset bool) (core.Batch, error) {
	if reset { // what was emptied may have been begun again by another
		s.known.Store(false)
		if err := s.begin(ctx); err != nil {
			return core.Batch{}, err
		}
	}
	for range 3 { // it may be emptied again meanwhile, but not for ever
		feeds, err := s.each(ctx, func(ctx context.Context, p redis.Pipeliner, _ int, key string) { p.XRange(ctx, key, "-", "+") })
		if err != nil {
			return core.Batch{}, err
		}
		at, whole := make(places, len(feeds)), true
		var events []core.Revocation
		for i, entries := range feeds {
			whole = whole && len(entries) > 0
			for _, e := range entries {
				more, err := revocationsIn(e)
				if err != nil {
					return core.Batch{}, err
				}
				at[i].Epoch, _ = e.Values["e"].(string)
				at[i].Last, events = e.ID, append(events, more...)
			}
			if n := len(entries); n > 0 {
				at[i].Mark = mark(entries[n-1])
			}
		}
		if whole {
			epoch, err := at.epoch()
			return core.Batch{Events: events, Next: at.cursor(), Epoch: epoch, Reset: reset}, err
		}
		for i := range at {
			if at[i].Last != "" {
				continue
			}
			if _, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) (any, error) {
				return beginScript.Run(ctx, s.client, []string{s.feedKey(i)}, rand.Text()[:16]).Result()
			}); err != nil {
				return core.Batch{}, err
			}
		}
	}
	return core.Batch{}, errEmptied
}

var errEmptied = errors.New("redisstore: the feed is emptied while it is read")

//go:embed begin.lua
var beginLua string

var beginScript = redis.NewScript(beginLua)
