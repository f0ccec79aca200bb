package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// Options are the settings of a [Store]. The zero value is the recommended one.
type Options struct {
	// Prefix begins every key. "": "sp". It has no braces, spaces or control
	// characters.
	Prefix string
	// Buckets is over how many slots of a Cluster users are spread, 1 to 256. It
	// can't be changed for a database that is in use. 0: 16.
	Buckets int
	// Timeout is how long one call on Redis may take, whatever the client's own
	// settings. 0: 1 second.
	Timeout time.Duration
	// Replicas is how many replicas have to have a change before Commit succeeds.
	// 0: none; Commit then succeeds when the master has it.
	//
	// Commit sends WAIT behind the change, in the same round trip. If it succeeds,
	// that many replicas have said that they have the change in memory. If fewer
	// have within ReplicaTimeout, Commit returns an error that is
	// [core.ErrNotDurable]: the change took place, is seen by everybody and may reach
	// more replicas later; nothing takes it back.
	//
	// This makes it less likely that a failover loses a change. It doesn't rule it
	// out, since Redis has no consensus: a failover tries to choose the replica that
	// has most, and may choose one that lacks the change. Nor does it say that the
	// change is on a disk. A change that loses to another (core.ErrConflict) says
	// nothing of replicas, nor does Load: what it returns may be on the master alone.
	//
	// It needs a *redis.Client or a *redis.ClusterClient.
	Replicas int
	// ReplicaTimeout is how long a Commit waits for Replicas, in whole milliseconds,
	// less than Timeout and than the client's ReadTimeout. 0: half of Timeout.
	ReplicaTimeout time.Duration
	// PollInterval is how often the feed is read on a Cluster, where one read
	// can't wait on several slots. 0: 100 ms. A single server answers at once.
	PollInterval time.Duration
}

// Store is a [core.Store] in Redis. It is safe for concurrent use.
type Store struct {
	client  redis.UniversalClient
	options Options
	known   atomic.Bool // that the database has our number of buckets
}

var (
	_ core.Store      = (*Store)(nil)
	_ core.ManyLoader = (*Store)(nil)
	_ core.Checker    = (*Store)(nil)
)

// ErrBuckets is returned by every call on a database that was begun with another
// number of buckets.
var ErrBuckets = errors.New("redisstore: the database has another number of buckets")

// New returns a store on a client, which stays the app's to close. It makes no
// call.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "sp"
	}
	if o.Buckets == 0 {
		o.Buckets = 16
	}
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	if o.PollInterval == 0 {
		o.PollInterval = 100 * time.Millisecond
	}
	if o.ReplicaTimeout == 0 {
		o.ReplicaTimeout = o.Timeout / 2
	}
	mistakes := clientMistakes(client, o.Prefix)
	if o.Buckets < 1 || o.Buckets > 256 {
		mistakes = append(mistakes, fmt.Errorf("redisstore: Buckets %d: want 1 to 256", o.Buckets))
	}
	if o.Timeout < time.Millisecond || o.PollInterval < time.Millisecond {
		mistakes = append(mistakes, errors.New("redisstore: Timeout and PollInterval: want at least 1 ms"))
	}
	if err := replicaMistake(client, &o); err != nil {
		mistakes = append(mistakes, err)
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return &Store{client: client, options: o}, nil
}

// clientMistakes says what no client and no prefix may be.
func clientMistakes(client redis.UniversalClient, prefix string) []error {
	var mistakes []error
	if client == nil {
		mistakes = append(mistakes, errors.New("redisstore: no client"))
	}
	if _, ring := client.(*redis.Ring); ring {
		mistakes = append(mistakes, errors.New("redisstore: a Ring spreads keys over servers that know nothing of each other: want a client of one server or of a Cluster"))
	}
	if strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '{' || r == '}' }) || len(prefix) > 64 {
		mistakes = append(mistakes, fmt.Errorf("redisstore: Prefix %q: at most 64 characters, and no braces, spaces or control characters", prefix))
	}
	return mistakes
}

func (s *Store) bucketsKey() string { return s.options.Prefix + ":buckets" }

func (s *Store) bucketKey(bucket int, rest string) string {
	return fmt.Sprintf("%s:{%02d}:%s", s.options.Prefix, bucket, rest)
}

func (s *Store) feedKey(bucket int) string { return s.bucketKey(bucket, "feed") }

func (s *Store) userKeys(userID string) (ledger, feed string) {
	h := fnv.New32a()
	h.Write([]byte(userID))
	bucket := int(h.Sum32() % uint32(s.options.Buckets))
	return s.bucketKey(bucket, "u:"+userID), s.feedKey(bucket)
}

// call makes one call on Redis and returns when it has answered, when ctx is done
// or when its time is up: a client may have settings of its own and overstay.
func call[T any](ctx context.Context, s *Store, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	return within(ctx, s.client, patience, f)
}

// within is call for whoever has a client.
func within[T any](ctx context.Context, client redis.UniversalClient, patience time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		var r reply
		defer func() {
			if broken := recover(); broken != nil { // a length that no memory has room for
				r.err = fmt.Errorf("the client failed: %v", broken)
			}
			replies <- r
		}()
		r.value, r.err = f(ctx)
	}()
	var none T
	select {
	case r := <-replies:
		if r.err != nil {
			reroute(client)
			return none, fmt.Errorf("redisstore: %w", r.err)
		}
		return r.value, nil
	case <-ctx.Done():
		reroute(client)
		return none, fmt.Errorf("redisstore: %w", context.Cause(ctx))
	}
}

// reroute has a client of a Cluster ask again who has which slots, soon and in the
// background. By itself it does so once a minute and when a server sends it elsewhere,
// as a dead one does not.
func reroute(client redis.UniversalClient) {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		cluster.ReloadState(context.Background())
	}
}

// begin sees to it that the database has as many buckets as this store.
func (s *Store) begin(ctx context.Context) error {
	if s.known.Load() {
		return ctx.Err()
	}
	has, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) (string, error) {
		key, want := s.bucketsKey(), strconv.Itoa(s.options.Buckets)
		has, err := s.client.Get(ctx, key).Result() // a server that takes no writes may be read
		if !errors.Is(err, redis.Nil) {
			return has, err
		}
		if err := s.client.SetNX(ctx, key, want, 0).Err(); err != nil {
			return "", err
		}
		return s.client.Get(ctx, key).Result()
	})
	if err != nil {
		return err
	}
	if has != strconv.Itoa(s.options.Buckets) {
		return fmt.Errorf("%w: %s, and not %d", ErrBuckets, has, s.options.Buckets)
	}
	s.known.Store(true)
	return nil
}

// Load implements [core.Store].
func (s *Store) Load(ctx context.Context, userID string) (core.Ledger, error) {
	if err := s.begin(ctx); err != nil {
		return core.Ledger{}, err
	}
	key, _ := s.userKeys(userID)
	text, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) (string, error) {
		text, err := s.client.Get(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			err = nil // nothing is known of the user
		}
		return text, err
	})
	if err != nil {
		return core.Ledger{}, err
	}
	return readLedger(text)
}

// LoadMany implements [core.ManyLoader].
func (s *Store) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	found, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) ([]redis.Cmder, error) {
		found, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range userIDs {
				key, _ := s.userKeys(id)
				p.Get(ctx, key)
			}
			return nil
		})
		if errors.Is(err, redis.Nil) {
			err = nil // nothing is known of the first who has no ledger
			for _, cmd := range found {
				if failed := cmd.Err(); failed != nil && !errors.Is(failed, redis.Nil) {
					err = failed
				}
			}
		}
		return found, err
	})
	if err != nil {
		return nil, err
	}
	ledgers := make(map[string]core.Ledger, len(userIDs))
	for i, id := range userIDs {
		l, err := readLedger(found[i].(*redis.StringCmd).Val())
		if err != nil {
			return nil, err
		}
		if !l.Version.IsZero() {
			ledgers[id] = l
		}
	}
	return ledgers, nil
}

//go:embed commit.lua
var commitLua string

var commitScript = redis.NewScript(commitLua)

// Commit implements [core.Store]. A client may send it again after a lost reply.
// With Options.Replicas its error may be [core.ErrNotDurable].
func (s *Store) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	if err := s.begin(ctx); err != nil {
		return core.Ledger{}, err
	}
	ledger, feed := s.userKeys(userID)
	args := s.commitArgs(&c)
	send := s.send
	if s.options.Replicas > 0 {
		send = s.sendAndWait
	}
	reply, err := send(ctx, []string{ledger, feed}, args)
	if err != nil {
		return core.Ledger{}, err
	}
	stands, conflict := reply.(string)
	if !conflict {
		return core.Ledger{}, nil
	}
	l, err := readLedger(stands)
	if err != nil {
		return core.Ledger{}, err
	}
	return l, core.ErrConflict
}

// send runs commit.lua and returns its answer: 1, or the ledger that stands.
func (s *Store) send(ctx context.Context, keys []string, args []any) (any, error) {
	reply, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) (any, error) {
		return commitScript.Run(ctx, s.client, keys, args...).Result()
	})
	return understood(reply, err)
}

// understood returns an error for what is no answer of commit.lua: it acknowledges
// nothing.
func understood(reply any, err error) (any, error) {
	if _, conflict := reply.(string); conflict || err != nil || reply == int64(1) {
		return reply, err
	}
	return nil, fmt.Errorf("%w: the script answered with %T", errPacked, reply)
}

// expiryMargin is how much longer than KeepUntil a ledger is kept: the server's
// clock may be ahead of that which made it.
const expiryMargin = time.Minute

// commitArgs are the arguments of commit.lua.
func (s *Store) commitArgs(c *core.Change) []any {
	var set, gone []any
	put := func(name string, value []byte) { set = append(set, name, value) }
	list := func(name string, given bool, n int, value func() []byte) {
		switch {
		case n > 0:
			put(name, value())
		case given:
			gone = append(gone, name)
		}
	}
	expires := ""
	if !c.Forget {
		expires = millis(c.KeepUntil.Add(expiryMargin))
		for i := range c.Put {
			put(sessionName(c.Put[i].ID), writeSession(&c.Put[i]))
		}
		for _, e := range c.End {
			gone = append(gone, sessionName(e.ID))
		}
		list("d", c.Devices != nil, len(c.Devices), func() []byte { return writeList(c.Devices, (*codec).knownDevice) })
		list("n", c.Networks != nil, len(c.Networks), func() []byte { return writeList(c.Networks, (*codec).knownNetwork) })
		list("p", c.Pending != nil, len(c.Pending), func() []byte { return writeList(c.Pending, (*codec).pending) })
		list("f", c.Foreign != nil, len(c.Foreign), func() []byte { return writeList(c.Foreign, (*codec).revokedToken) })
	}
	var revocations []byte
	until := int64(0)
	if len(c.Publish) > 0 {
		revocations = writeList(c.Publish, (*codec).revocation)
		for _, r := range c.Publish {
			until = max(until, r.Until.UnixMilli())
		}
	}
	before := ""
	if !c.If.IsZero() {
		before = string(c.If[:])
	}
	waits := ""
	if s.options.Replicas > 0 {
		waits = "1"
	}
	signIns := timesText(c.SignIns)
	if c.SignIns != nil && len(c.SignIns) == 0 {
		signIns = "-"
	}
	args := []any{
		string(c.ID[:]), before, millis(c.At), millisOrNone(c.RevokedAt), expires, revocations, until, waits,
		millisOrNone(c.ReusedAt), signIns, len(set),
	}
	return append(append(args, set...), gone...)
}

func sessionName(id core.ID) string { return "s" + string(id[:]) }

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func millisOrNone(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return millis(t)
}
