package redisstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// Replicas have long enough in patient, and in hasty they fail soon.
var (
	patient = redisstore.Options{Replicas: 1, Timeout: 4 * time.Minute, ReplicaTimeout: time.Minute}
	hasty   = redisstore.Options{Replicas: 1, Timeout: time.Minute, ReplicaTimeout: 20 * time.Millisecond}
)

// forWaiting has a client wait for its replies at least as long as patient does.
const forWaiting = 2 * time.Minute

// pair is a master and its replica.
type pair struct {
	t       *testing.T
	replica *redistest.Server
	client  *redis.Client // of the master
}

func startPair(t *testing.T) *pair {
	t.Helper()
	master := redistest.Start(t, append([]string{"--repl-ping-replica-period", "3600"}, redistest.Replication...)...)
	client := redis.NewClient(&redis.Options{Addr: master.Addr, ReadTimeout: forWaiting})
	t.Cleanup(func() { client.Close() })
	return &pair{t, redistest.StartReplica(t, master), client}
}

func (p *pair) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.replica.Process().Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// inStep fails the test if the replica has another ledger than the master.
func (p *pair) inStep(user string) {
	p.t.Helper()
	key := ledgerKey(p.t, p.client, user)
	want := p.client.Get(p.t.Context(), key).Val()
	if got := p.replica.Client(p.t).Get(p.t.Context(), key).Val(); got != want || want == "" {
		p.t.Errorf("%s: the replica has %q, the master %q", user, got, want)
	}
}

// aChange makes a ledger of an unknown user.
func aChange() core.Change {
	now := time.Now().UTC().Truncate(time.Millisecond)
	return core.Change{
		ID: newID(), At: now, KeepUntil: now.Add(time.Hour),
		Publish: []core.Revocation{{Session: newID(), MinSerial: core.AllSerials, Until: now.Add(time.Hour)}},
	}
}

func commit(t *testing.T, s *redisstore.Store, user string, c core.Change) error {
	t.Helper()
	_, err := s.Commit(t.Context(), user, c)
	return err
}

// stands fails the test if a change has not taken place.
func stands(t *testing.T, s *redisstore.Store, user string, c core.Change) {
	t.Helper()
	if l, err := s.Load(t.Context(), user); err != nil || l.Version != c.ID {
		t.Errorf("%s: got version %v and error %v, want %v: the change took place", user, l.Version, err, c.ID)
	}
}

func wantNotDurable(t *testing.T, err error, saying string) {
	t.Helper()
	if !errors.Is(err, core.ErrNotDurable) || errors.Is(err, core.ErrConflict) || !strings.Contains(err.Error(), saying) {
		t.Errorf("got error %v, want ErrNotDurable, saying %q", err, saying)
	}
}

// A store that waits for a replica is a store.
func TestProofReplicas(t *testing.T) {
	if os.Getenv("SALLYPORT_PROOF") == "" {
		t.Skip("SALLYPORT_PROOF is not set")
	}
	client := startPair(t).client
	storetest.Run(t, func(t testing.TB) core.Store {
		o := patient
		o.Prefix = "test-" + rand.Text()
		return openAt(t, client, o)
	})
}

// A change that its replica does not have has taken place and is not durable; sent
// again it is neither more nor less so, until the replica has it.
func TestReplicaDown(t *testing.T) {
	p := startPair(t)
	soon, late := openAt(t, p.client, hasty), openAt(t, p.client, patient)
	first := aChange()
	if err := commit(t, late, "alice", first); err != nil {
		t.Fatal(err)
	}
	p.inStep("alice")

	p.signal(syscall.SIGSTOP)
	c := aChange()
	wantNotDurable(t, commit(t, soon, "bob", c), "0 of 1 replicas")
	stands(t, late, "bob", c)
	wantNotDurable(t, commit(t, soon, "bob", c), "0 of 1 replicas")
	if stood, err := soon.Commit(t.Context(), "bob", aChange()); !errors.Is(err, core.ErrConflict) || errors.Is(err, core.ErrNotDurable) || stood.Version != c.ID {
		t.Errorf("a change that loses: got %v and error %v, want what stands and ErrConflict alone", stood.Version, err)
	}

	again := make(chan error, 1)
	go func() { again <- commit(t, late, "bob", c) }()
	redistest.Eventually(t, func(ctx context.Context) error {
		info, err := p.client.Info(ctx, "clients").Result()
		if err == nil && !strings.Contains(info, "blocked_clients:1") {
			err = errors.New("nobody waits: " + info)
		}
		return err
	})
	select {
	case err := <-again:
		t.Fatalf("sent again while the replica is down: got %v, want to wait", err)
	default:
	}
	p.signal(syscall.SIGCONT)
	if err := <-again; err != nil {
		t.Errorf("sent again and then the replica came back: got error %v", err)
	}
	p.inStep("bob")
}

// twice sends every pipeline again after its reply, as a client does whose
// connection breaks before it.
type twice struct{ before }

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := next(ctx, cmds); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

// What the client itself sends again is waited for as well.
func TestReplicasSentAgain(t *testing.T) {
	p := startPair(t)
	soon, late := openAt(t, p.client, hasty), openAt(t, p.client, patient)
	if err := commit(t, late, "alice", aChange()); err != nil { // the scripts are there
		t.Fatal(err)
	}
	p.client.AddHook(twice{func(redis.Cmder) {}})
	if err := commit(t, late, "bob", aChange()); err != nil {
		t.Errorf("got error %v", err)
	}
	p.signal(syscall.SIGSTOP)
	defer p.signal(syscall.SIGCONT)
	wantNotDurable(t, commit(t, soon, "carol", aChange()), "0 of 1 replicas")
}

// WAIT is for the last write of its own connection, and from Redis 7.2 on for nothing
// else. So there is one whenever Commit succeeds, and only if somebody waits: what a
// replica is sent tells.
func TestReplicasAreSentSomething(t *testing.T) {
	p := startPair(t)
	waits := openAt(t, p.client, patient)
	plain := openAt(t, p.client, redisstore.Options{})
	replica := p.replica.Client(t)
	// sent returns how many of the named commands the replica was sent meanwhile.
	sent := func(do func() error, names ...string) int64 {
		t.Helper()
		count := func() (n int64) {
			t.Helper()
			_, err := p.client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
				pipe.Incr(t.Context(), "barrier")
				return pipe.Do(t.Context(), "wait", 1, 0).Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			stats, err := replica.InfoMap(t.Context(), "commandstats").Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				calls, _, _ := strings.Cut(strings.TrimPrefix(stats["Commandstats"]["cmdstat_"+name], "calls="), ",")
				of, _ := strconv.ParseInt(calls, 10, 64) // "": never called
				n += of
			}
			return n
		}
		before := count()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return count() - before
	}
	c := aChange()
	if err := commit(t, plain, "alice", c); err != nil {
		t.Fatal(err)
	}
	expiry := func() time.Duration { return p.client.PExpireTime(t.Context(), ledgerKey(t, p.client, "alice")).Val() }
	before := expiry()
	forget := core.Change{ID: newID(), At: time.Now(), Forget: true}
	for _, tt := range []struct {
		name     string
		store    *redisstore.Store
		user     string
		change   core.Change
		commands []string
		want     int64
	}{
		{"sent again, waiting", waits, "alice", c, []string{"pexpireat", "set", "xadd"}, 1},
		{"sent again", plain, "alice", c, []string{"pexpireat", "set", "xadd"}, 0},
		{"nothing to forget, waiting", waits, "nobody", forget, []string{"set", "del", "unlink"}, 2},
		{"nothing to forget", plain, "nobody", forget, []string{"set", "del", "unlink"}, 0},
	} {
		if n := sent(func() error { return commit(t, tt.store, tt.user, tt.change) }, tt.commands...); n != tt.want {
			t.Errorf("%s: the replica was sent %d of %v, want %d", tt.name, n, tt.commands, tt.want)
		}
	}
	if after := expiry(); after != before || before <= 0 {
		t.Errorf("sent again: got expiry %v, want it as it was, %v", after, before)
	}
	if n := p.client.Exists(t.Context(), strings.Replace(ledgerKey(t, p.client, "alice"), "alice", "nobody", 1)).Val(); n != 0 {
		t.Error("what was forgotten is there")
	}
}

// Waiting takes no round trip of its own, and one more when the script is gone.
func TestReplicasRoundTrips(t *testing.T) {
	p := startPair(t)
	s := openAt(t, p.client, patient)
	if err := commit(t, s, "warm", aChange()); err != nil {
		t.Fatal(err)
	}
	var trips atomic.Int32
	p.client.AddHook(counting(func(context.Context, redis.Cmder) { trips.Add(1) }))
	flush := func() {
		if err := p.client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		before func()
		user   string
		want   int32
		err    error
	}{
		{"a change", func() {}, "alice", 1, nil},
		{"a change that conflicts", func() {}, "warm", 1, core.ErrConflict},
		{"after SCRIPT FLUSH", flush, "bob", 2, nil},
		{"after that", func() {}, "carol", 1, nil},
	} {
		tt.before()
		trips.Store(0)
		if err := commit(t, s, tt.user, aChange()); !errors.Is(err, tt.err) || trips.Load() != tt.want {
			t.Errorf("%s: got %d round trips and error %v, want %d and %v", tt.name, trips.Load(), err, tt.want, tt.err)
		}
	}
	p.signal(syscall.SIGSTOP)
	defer p.signal(syscall.SIGCONT)
	flush()
	wantNotDurable(t, commit(t, openAt(t, p.client, hasty), "dave", aChange()), "0 of 1 replicas")
}

// A user who may not wait learns that the change is not durable. One who may not do
// anything any more made no change.
func TestReplicasForbidden(t *testing.T) {
	p := startPair(t)
	client := as(t, p.client, "-wait")
	s := openAt(t, client, patient)
	c := aChange()
	wantNotDurable(t, commit(t, s, "alice", c), "NOPERM")
	stands(t, s, "alice", c)

	name := client.Options().Username
	for _, do := range [][]any{{"ACL", "SETUSER", name, "resetpass", ">" + rand.Text()}, {"CLIENT", "KILL", "USER", name}} {
		if err := p.client.Do(t.Context(), do...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := commit(t, s, "bob", aChange()); err == nil || errors.Is(err, core.ErrNotDurable) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("with a password that is wrong by now: got error %v, want WRONGPASS", err)
	}
}

// as returns a client as a user with rights beside all, such as "-wait".
func as(t *testing.T, admin *redis.Client, rights ...any) *redis.Client {
	t.Helper()
	name, password := rand.Text(), rand.Text()
	args := append([]any{"ACL", "SETUSER", name, "on", ">" + password, "~*", "&*", "+@all"}, rights...)
	if err := admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	o := *admin.Options()
	client := redis.NewClient(&redis.Options{Addr: o.Addr, ReadTimeout: forWaiting, Username: name, Password: password})
	t.Cleanup(func() { client.Close() })
	return client
}

// On a Cluster it is the replicas of the user's own master that count, and a change
// finds its way while its slot moves from one master to another.
func TestReplicasCluster(t *testing.T) {
	long(t)
	cluster := redistest.StartCluster(t, 2)
	from, to := cluster.Nodes[0].Client(t), cluster.Nodes[1].Client(t)
	replica := cluster.AddReplica(t, cluster.Nodes[0])
	cluster.AddReplica(t, cluster.Nodes[1])
	connect := func(slots func(context.Context) ([]redis.ClusterSlot, error)) *redis.ClusterClient {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{cluster.Nodes[0].Addr}, ReadTimeout: forWaiting, ClusterSlots: slots})
		t.Cleanup(func() { client.Close() })
		return client
	}
	client := connect(nil)
	s, soon := openAt(t, client, patient), openAt(t, client, hasty)

	// A user on each master.
	users := map[*redis.Client]string{}
	for i := 0; len(users) < 2; i++ {
		user := "user-" + string(rune('a'+i))
		if err := commit(t, openAt(t, client, redisstore.Options{}), user, aChange()); err != nil {
			t.Fatal(err)
		}
		for _, node := range []*redis.Client{from, to} {
			if keys := node.Keys(t.Context(), "sp:*:u:"+user).Val(); len(keys) == 1 {
				users[node] = user
			}
		}
	}
	next := func(s *redisstore.Store, user string) (core.Change, error) {
		t.Helper()
		c := aChange()
		l, err := s.Load(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		c.If = l.Version
		return c, commit(t, s, user, c)
	}
	user := users[from]
	replica.Process().Signal(syscall.SIGSTOP)
	if _, err := next(s, users[to]); err != nil {
		t.Errorf("while the other master's replica is down: got error %v", err)
	}
	c, err := next(soon, user)
	wantNotDurable(t, err, "0 of 1 replicas")
	stands(t, s, user, c)
	replica.Process().Signal(syscall.SIGCONT)

	// The slot moves, its keys have gone ahead.
	key := ledgerKey(t, from, user)
	slot := from.ClusterKeySlot(t.Context(), key).Val()
	ids := [2]string{from.ClusterMyID(t.Context()).Val(), to.ClusterMyID(t.Context()).Val()}
	do := func(on *redis.Client, args ...any) {
		t.Helper()
		if err := on.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(args, err)
		}
	}
	do(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
	do(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
	host, port, _ := net.SplitHostPort(to.Options().Addr)
	migrate := []any{"MIGRATE", host, port, "", 0, 10_000, "KEYS"}
	for _, key := range from.ClusterGetKeysInSlot(t.Context(), int(slot), 1000).Val() {
		migrate = append(migrate, key)
	}
	do(from, migrate...)
	c, err = next(s, user)
	wantNotDurable(t, err, "not known")
	stands(t, s, user, c)

	// It has moved, and the client does not know.
	var asked atomic.Int32
	over := make(chan struct{})
	defer close(over)
	stale := connect(func(ctx context.Context) ([]redis.ClusterSlot, error) {
		if _, waitedFor := ctx.Deadline(); !waitedFor {
			<-over // what it finds out in the background comes too late
		}
		var all []redis.ClusterSlot
		first := asked.Add(1) == 1
		for i, addr := range []string{from.Options().Addr, to.Options().Addr} {
			all = append(all, redis.ClusterSlot{Start: i * 8192, End: i*8192 + 8191, Nodes: []redis.ClusterNode{{Addr: addr}}})
		}
		if !first {
			n := int(slot)
			all = []redis.ClusterSlot{
				{Start: 0, End: n - 1, Nodes: all[0].Nodes},
				{Start: n + 1, End: 8191, Nodes: all[0].Nodes},
				{Start: n, End: n, Nodes: all[1].Nodes},
				all[1],
			}
		}
		return all, nil
	})
	late := openAt(t, stale, patient)
	l, err := s.Load(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit(t, late, users[to], aChange()); !errors.Is(err, core.ErrConflict) { // it has looked where the slots are
		t.Fatal(err)
	}
	do(to, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
	do(from, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
	if asked.Load() != 1 {
		t.Fatal("the client knows already")
	}
	c = aChange()
	c.If = l.Version
	if err := commit(t, late, user, c); err != nil {
		t.Errorf("on a slot that has moved: got error %v", err)
	}
	stands(t, s, user, c)
}

func TestReplicasRefused(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ReadTimeout: time.Second})
	defer client.Close()
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, ReadTimeout: time.Second})
	defer cluster.Close()
	endless := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ReadTimeout: -1})
	defer endless.Close()
	for _, tt := range []struct {
		client redis.UniversalClient
		o      redisstore.Options
		says   string // "": it is fine
	}{
		{client, redisstore.Options{Replicas: 1}, ""},
		{cluster, redisstore.Options{Replicas: 2}, ""},
		{endless, patient, ""},
		{client, redisstore.Options{Replicas: -1}, "Replicas -1"},
		{client, redisstore.Options{Replicas: 1, ReplicaTimeout: -time.Second}, "at least 1 ms"},
		{client, redisstore.Options{Replicas: 1, ReplicaTimeout: time.Second}, "less than Timeout"},
		{client, redisstore.Options{Replicas: 1, ReplicaTimeout: time.Second, Timeout: time.Minute}, "ReadTimeout"},
		{cluster, redisstore.Options{Replicas: 1, ReplicaTimeout: time.Second, Timeout: time.Minute}, "ReadTimeout"},
		{struct{ redis.UniversalClient }{client}, redisstore.Options{Replicas: 1}, "*redis.ClusterClient"},
	} {
		_, err := redisstore.New(tt.client, tt.o)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("New(%T, %+v): got error %v, want %q", tt.client, tt.o, err, tt.says)
		}
	}
}

// ledgerKey returns the key of a user's ledger.
func ledgerKey(t *testing.T, client *redis.Client, user string) string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "sp:*:u:"+user).Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return keys[0]
}

// losing loses the reply to the next Commit.
type losing struct {
	core.Store
	lose bool
}

func (l *losing) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	stands, err := l.Store.Commit(ctx, user, c)
	if l.lose {
		l.lose = false
		return core.Ledger{}, errors.New("lost")
	}
	return stands, err
}

// A revocation of which the reply was lost is said to be durable only if it is.
func TestReplicasLostReply(t *testing.T) {
	p := startPair(t)
	s := &losing{Store: openAt(t, p.client, hasty)}
	auth, err := core.New(core.Config{Store: s, Keys: []core.Key{{Secret: []byte(newID().String() + newID().String())}}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	pair, err := auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		t.Log(err)
	}
	p.signal(syscall.SIGSTOP)
	defer p.signal(syscall.SIGCONT)
	s.lose = true
	if err := auth.Revoke(t.Context(), "alice", pair.Session.ID, core.ReasonRevoked); !errors.Is(err, core.ErrNotDurable) {
		t.Errorf("no replica has it, and its reply was lost: got %v, want ErrNotDurable", err)
	}
}
