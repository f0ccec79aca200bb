package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// wantFindings checks that there is one finding for each pattern, in that order, and
// no other.
func wantFindings(t *testing.T, got []core.Finding, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d findings, want %d: %v", len(got), len(want), got)
		return
	}
	for i, f := range got {
		if ok, err := regexp.MatchString("^store: "+want[i], f.String()); err != nil || !ok || f.Remedy == "" {
			t.Errorf("got %q, want %q", f, want[i])
		}
	}
}

func check(t *testing.T, s *redisstore.Store) []core.Finding {
	t.Helper()
	return s.Check(t.Context(), time.Now())
}

// startSound starts a server that there is nothing to find on, but for settings.
func startSound(t *testing.T, settings ...string) *redistest.Server {
	t.Helper()
	return redistest.Start(t, append([]string{"--appendonly", "yes"}, settings...)...)
}

// seeming has a server's INFO say something else.
type seeming struct {
	before
	old, new string
}

func (s seeming) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			if info, ok := cmd.(*redis.StringCmd); ok && cmd.Name() == "info" {
				info.SetVal(regexp.MustCompile(s.old).ReplaceAllString(info.Val(), s.new))
			}
		}
		return err
	}
}

// On a sound server nothing is found, nor on one that says little of itself.
func TestCheckSound(t *testing.T) {
	client := startSound(t, "--maxmemory", "100mb").Client(t)
	for name, client := range map[string]redis.UniversalClient{
		"one server":         client,
		"one that is polled": struct{ redis.UniversalClient }{client},
		"miniredis":          mini(t),
	} {
		s := openAt(t, client, redisstore.Options{})
		for range 2 {
			if got := check(t, s); len(got) > 0 {
				t.Errorf("%s: got %v", name, got)
			}
		}
	}
}

// What Auth.Check returns are its own findings and those of the store.
func TestCheckOfAuth(t *testing.T) {
	s := openAt(t, redistest.Start(t).Client(t), redisstore.Options{})
	auth, err := core.New(core.Config{Store: s, Keys: []core.Key{{Secret: []byte(newID().String() + newID().String())}}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	for _, f := range auth.Check(t.Context()) {
		if f.Subject == "store" && strings.Contains(f.Problem, "appendonly is no") {
			return
		}
	}
	t.Error("appendonly is no, and Auth.Check does not say so")
}

// Settings of a server and what has become of it.
func TestCheckServer(t *testing.T) {
	full := t.TempDir() // a disk on which nothing fits
	if err := os.Mkdir(filepath.Join(full, "appendonlydir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(full, "appendonlydir", "appendonly.aof.1.incr.aof")); err != nil {
		t.Fatal(err)
	}
	info := func(t *testing.T, c *redis.Client, name string) string {
		t.Helper()
		text, err := c.Info(t.Context(), "all").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, value, _ := strings.Cut(text, "\n"+name+":")
		value, _, _ = strings.Cut(value, "\r")
		return value
	}
	until := func(t *testing.T, c *redis.Client, name, want string) {
		t.Helper()
		redistest.Eventually(t, func(context.Context) error {
			if got := info(t, c, name); got != want {
				return fmt.Errorf("%s is %q, want %q", name, got, want)
			}
			return nil
		})
	}
	must := func(t *testing.T, cmd redis.Cmder) {
		t.Helper()
		if cmd.Err() != nil {
			t.Fatal(cmd)
		}
	}
	for _, tt := range []struct {
		name     string
		settings []string
		happens  func(t *testing.T, c *redis.Client)
		options  redisstore.Options
		want     []string
	}{
		{
			name: "keys may be evicted", settings: []string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"},
			want: []string{"maxmemory-policy is allkeys-lru with a maxmemory of 104857600 bytes, and 0 keys were evicted.*; set maxmemory-policy noeviction$"},
		},
		{
			name: "keys may be evicted, INFO tells", settings: []string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl", "--rename-command", "CONFIG", ""},
			want: []string{"maxmemory-policy is volatile-ttl with a maxmemory of 104857600 bytes"},
		},
		{
			name: "keys were evicted", settings: []string{"--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"},
			happens: func(t *testing.T, c *redis.Client) {
				for i := range 40 {
					must(t, c.Set(t.Context(), fmt.Sprint("filler", i), strings.Repeat("x", 100_000), 0))
				}
			},
			want: []string{"maxmemory-policy is allkeys-random .* and [1-9][0-9]* keys were evicted"},
		},
		{name: "a policy that never comes to bear", settings: []string{"--maxmemory-policy", "allkeys-lru"}},
		{
			name: "memory is nearly full",
			happens: func(t *testing.T, c *redis.Client) {
				var used int
				fmt.Sscan(info(t, c, "used_memory"), &used)
				must(t, c.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(used+used/20)))
			},
			want: []string{"used_memory is [0-9]+ of maxmemory's [0-9]+ bytes: .*; raise maxmemory$"},
		},
		{
			name: "no append-only file", settings: []string{"--appendonly", "no"},
			happens: func(t *testing.T, c *redis.Client) { must(t, c.Set(t.Context(), "a", "b", 0)) },
			want:    []string{"appendonly is no: .*_last_save is 1.; set appendonly yes$"},
		},
		{name: "nothing waits for the disk", settings: []string{"--appendfsync", "no"}, want: []string{"appendfsync is no: .*; set appendfsync everysec or always$"}},
		{
			name: "the disk is full", settings: []string{"--dir", full},
			happens: func(t *testing.T, c *redis.Client) {
				must(t, c.Set(t.Context(), "a", "b", 0))
				until(t, c, "aof_last_write_status", "err")
			},
			want: []string{"aof_last_write_status is err: .*"},
		},
		{
			name: "the disk is gone",
			happens: func(t *testing.T, c *redis.Client) {
				dir := c.ConfigGet(t.Context(), "dir").Val()["dir"]
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				must(t, c.BgSave(t.Context()))
				until(t, c, "rdb_last_bgsave_status", "err")
				c.BgRewriteAOF(t.Context()) // fails at once, or later
				until(t, c, "aof_last_bgrewrite_status", "err")
			},
			want: []string{"aof_last_bgrewrite_status is err: .*", "rdb_last_bgsave_status is err: .*"},
		},
		{name: "too few replicas", options: redisstore.Options{Replicas: 1}, want: []string{"Options.Replicas is 1 and 0 are online: .*; start replicas, or lower Options.Replicas$"}},
		{
			name: "another number of buckets",
			happens: func(t *testing.T, c *redis.Client) {
				if _, err := openAt(t, c, redisstore.Options{Buckets: 4}).Load(t.Context(), "alice"); err != nil {
					t.Fatal(err)
				}
			},
			want: []string{"the database has another number of buckets: 4, and not 16; set Options.Buckets to what the key sp:buckets says$"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := startSound(t, tt.settings...).Client(t)
			if tt.happens != nil {
				tt.happens(t, client)
			}
			wantFindings(t, check(t, openAt(t, client, tt.options)), tt.want...)
		})
	}
}

// A database that was emptied, and begun by a store with other buckets.
func TestCheckBucketsBegunAgain(t *testing.T) {
	client := startSound(t).Client(t)
	s := openAt(t, client, redisstore.Options{})
	wantFindings(t, check(t, s))
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, client, redisstore.Options{Buckets: 4}).Load(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	wantFindings(t, check(t, s), "the database has another number of buckets: 4")
}

// What the user may not do, and whether it matters.
func TestCheckRights(t *testing.T) {
	admin := startSound(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").Client(t)
	const evicts = "maxmemory-policy is allkeys-lru"
	for _, tt := range []struct {
		rights  []any
		options redisstore.Options
		want    []string
	}{
		{[]any{"-eval"}, redisstore.Options{}, []string{"a script can't be run: NOPERM .*eval.*; allow this user EVAL ", evicts}},
		{[]any{"-evalsha"}, redisstore.Options{}, []string{"a script can't be run: NOPERM .*evalsha.*; allow this user EVALSHA ", evicts}},
		{[]any{"-time"}, redisstore.Options{}, []string{"scripts can't ask for the time: NOPERM ", evicts}},
		{[]any{"-wait"}, redisstore.Options{}, []string{evicts}},
		{[]any{"-wait"}, redisstore.Options{Replicas: 1}, []string{"replicas can't be waited for: NOPERM ", evicts, "Options.Replicas is 1 "}},
		{[]any{"-config"}, redisstore.Options{}, []string{evicts}},
		{[]any{"-info"}, redisstore.Options{}, []string{"how it keeps data can't be looked at: NOPERM ", evicts}},
		{[]any{"-info", "-config", "-cluster"}, redisstore.Options{}, []string{"how it keeps data can't be looked at: NOPERM "}},
	} {
		t.Run(fmt.Sprint(tt.rights, tt.options.Replicas), func(t *testing.T) {
			wantFindings(t, check(t, openAt(t, as(t, admin, tt.rights...), tt.options)), tt.want...)
		})
	}
	t.Run("no password", func(t *testing.T) {
		o := *admin.Options()
		client := redis.NewClient(&redis.Options{Addr: o.Addr, Username: "nobody", Password: newID().String()})
		defer client.Close()
		wantFindings(t, check(t, openAt(t, client, redisstore.Options{})), "it does not answer: .*WRONGPASS")
	})
}

// now is a minute off, or less than it takes to matter.
func TestCheckClock(t *testing.T) {
	client := startSound(t).Client(t)
	s := openAt(t, client, redisstore.Options{Timeout: 10 * time.Second})
	for _, tt := range []struct {
		off  time.Duration
		want []string
	}{
		{time.Minute, []string{"its clock is at least (59|1m0)[0-9.]*s behind this process's; set the clocks"}},
		{-time.Minute, []string{"its clock is at least (59|58|[34][0-9])[0-9.]*s ahead of this process's; set the clocks"}},
		{time.Second / 2, nil},
		{-time.Second / 2, nil},
	} {
		wantFindings(t, s.Check(t.Context(), time.Now().Add(tt.off)), tt.want...)
	}

	// A server that takes its time is not ahead by that.
	client.AddHook(late{before: func(redis.Cmder) {}, by: 300 * time.Millisecond})
	wantFindings(t, s.Check(t.Context(), time.Now().Add(-time.Second)))
}

// late has replies to pipelines come late.
type late struct {
	before
	by time.Duration
}

func (l late) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		<-time.After(l.by)
		return next(ctx, cmds)
	}
}

func TestCheckReplicas(t *testing.T) {
	master := startSound(t, redistest.Replication...)
	replica := redistest.StartReplica(t, master)
	client := master.Client(t)
	s := openAt(t, client, redisstore.Options{Replicas: 1})
	wantFindings(t, check(t, s))
	wantFindings(t, check(t, openAt(t, client, redisstore.Options{Replicas: 2})), "Options.Replicas is 2 and 1 are online")

	// A store that was given the replica.
	wantFindings(t, check(t, openAt(t, replica.Client(t), redisstore.Options{Replicas: 1})),
		"it is a replica of "+regexp.QuoteMeta(master.Addr)+": .*; give New a client of the master")

	late := master.Client(t)
	late.AddHook(seeming{func(redis.Cmder) {}, "(slave0:.*),lag=[0-9]+", "$1,lag=11"})
	wantFindings(t, check(t, openAt(t, late, redisstore.Options{Replicas: 1})), "Options.Replicas is 1 and 0 are online")

	replica.Kill()
	redistest.Eventually(t, func(ctx context.Context) error {
		info, err := client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "connected_slaves:0") {
			err = errors.New(info)
		}
		return err
	})
	wantFindings(t, check(t, s), "Options.Replicas is 1 and 0 are online")
}

// Only a feed that is polled needs 6.2.
func TestCheckVersion(t *testing.T) {
	server := startSound(t)
	for _, tt := range []struct {
		version string
		polls   bool
		old     bool
	}{
		{"5.0.14", true, true},
		{"6.0.16", true, true},
		{"6.0.16", false, false},
		{"6.2.0", true, false},
		{"7.0.0", true, false},
		{"255.255.255", true, false},
		{"unstable", true, false},
	} {
		client := server.Client(t)
		client.AddHook(seeming{func(redis.Cmder) {}, "redis_version:.*", "redis_version:" + tt.version + "\r"})
		var c redis.UniversalClient = client
		if tt.polls {
			c = struct{ redis.UniversalClient }{client}
		}
		var want []string
		if tt.old {
			want = []string{"redis_version is " + tt.version + ", .*; run 6.2 or later$"}
		}
		wantFindings(t, check(t, openAt(t, c, redisstore.Options{})), want...)
	}
}

// What can't be reached is one finding.
func TestCheckUnreachable(t *testing.T) {
	options := redisstore.Options{Timeout: 200 * time.Millisecond, Replicas: 1}
	server := startSound(t)
	s := openAt(t, server.Client(t), options)
	if err := server.Process().Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantFindings(t, check(t, s), "it does not answer: context deadline exceeded; see that it runs")
	server.Kill()
	wantFindings(t, check(t, s), "it does not answer: ")

	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr}})
	defer cluster.Close()
	wantFindings(t, check(t, openAt(t, cluster, options)), "it does not answer: ")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantFindings(t, s.Check(ctx, time.Now()), "it does not answer: ")
}

func TestCheckCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3)
	var nodes []*redis.Client
	for _, n := range cluster.Nodes {
		nodes = append(nodes, n.Client(t))
	}
	s := openAt(t, cluster.Client(t), redisstore.Options{})

	// What several have said is one finding.
	addrs := regexp.MustCompile(`^(127\.0\.0\.1:\d+, ){2}127\.0\.0\.1:\d+: appendonly is no`)
	if got := check(t, s); len(got) != 1 || !addrs.MatchString(got[0].Problem) {
		t.Errorf("got %v, want one finding of three servers", got)
	}
	for _, n := range nodes {
		if err := n.ConfigSet(t.Context(), "appendonly", "yes").Err(); err != nil {
			t.Fatal(err)
		}
	}
	wantFindings(t, check(t, s))
	wantFindings(t, check(t, openAt(t, nodes[0], redisstore.Options{})), "it is one of 3 masters of a Cluster, and the client is for one server; ")

	// A slot without a server, which the others don't know yet.
	if err := nodes[0].ClusterDelSlots(t.Context(), 0).Err(); err != nil {
		t.Fatal(err)
	}
	slots := regexp.QuoteMeta(cluster.Nodes[0].Addr) + ": cluster_state is fail, and 16383 of 16384 slots are served; "
	redistest.Eventually(t, func(ctx context.Context) error {
		info, err := nodes[0].ClusterInfo(ctx).Result()
		if err == nil && !strings.Contains(info, "cluster_state:fail") {
			err = errors.New(info)
		}
		return err
	})
	wantFindings(t, check(t, s), slots)
	if err := nodes[0].ClusterAddSlots(t.Context(), 0).Err(); err != nil {
		t.Fatal(err)
	}

	// A server that has gone.
	cluster.Nodes[2].Kill()
	var gone []string
	for _, f := range check(t, s) {
		if strings.Contains(f.Problem, "does not answer") {
			gone = append(gone, f.Problem)
		}
	}
	if len(gone) != 1 || !strings.HasPrefix(gone[0], cluster.Nodes[2].Addr+": it does not answer: ") {
		t.Errorf("got %q, want that %s does not answer", gone, cluster.Nodes[2].Addr)
	}
}

// Settings of the client.
func TestCheckClient(t *testing.T) {
	addr := startSound(t).Addr
	for _, tt := range []struct {
		options redis.Options
		want    []string
	}{
		{redis.Options{PoolSize: 2}, nil},
		{redis.Options{PoolSize: 2, MaxActiveConns: 2}, nil},
		{redis.Options{Protocol: 2, DB: 3, MaxRetries: -1, ReadTimeout: 100 * time.Millisecond}, nil},
		{redis.Options{PoolSize: 1}, []string{"the client's PoolSize is 1, and .* 500ms.*; set the client's PoolSize to 2 or more$"}},
		{redis.Options{PoolSize: 5, MaxActiveConns: 4}, []string{"the client's MaxActiveConns is 4 and its PoolSize 5: .*; "}},
		{redis.Options{ClientSideCacheConfig: &redis.ClientSideCacheConfig{}}, []string{"the client answers from its ClientSideCache: .*; give New a client without ClientSideCache$"}},
	} {
		tt.options.Addr = addr
		client := redis.NewClient(&tt.options)
		wantFindings(t, check(t, openAt(t, client, redisstore.Options{})), tt.want...)
		client.Close()
	}
	// As NewFailoverClusterClient has it: one master, found by a function.
	slots := func(context.Context) ([]redis.ClusterSlot, error) {
		return []redis.ClusterSlot{{Start: 0, End: 16383, Nodes: []redis.ClusterNode{{Addr: addr}}}}, nil
	}
	for _, tt := range []struct {
		options redis.ClusterOptions
		want    []string
	}{
		{redis.ClusterOptions{PoolSize: 1}, nil}, // nobody blocks
		{redis.ClusterOptions{ReadOnly: true}, []string{"the client's ReadOnly has replicas answer: .*; leave the client's ReadOnly out$"}},
		{redis.ClusterOptions{RouteByLatency: true}, []string{"the client's RouteByLatency has replicas answer"}},
		{redis.ClusterOptions{RouteRandomly: true}, []string{"the client's RouteRandomly has replicas answer"}},
		{redis.ClusterOptions{PoolSize: 5, MaxActiveConns: 4}, []string{"the client's MaxActiveConns is 4"}},
	} {
		tt.options.ClusterSlots = slots
		client := redis.NewClusterClient(&tt.options)
		wantFindings(t, check(t, openAt(t, client, redisstore.Options{})), tt.want...)
		client.Close()
	}
}

// What the findings on a client's settings rest on: who reads the feed keeps a
// connection, and for longer than the client's ReadTimeout if need be.
func TestClientSettings(t *testing.T) {
	server := redistest.Start(t)
	watch := server.Client(t)
	for _, tt := range []struct {
		options redis.Options
		fails   bool
	}{
		{redis.Options{PoolSize: 2, MaxActiveConns: 2, ReadTimeout: 20 * time.Millisecond}, false},
		{redis.Options{PoolSize: 1}, true},
		{redis.Options{PoolSize: 2, MaxActiveConns: 1}, true},
	} {
		tt.options.Addr = server.Addr
		client := redis.NewClient(&tt.options)
		s := openAt(t, client, redisstore.Options{Timeout: time.Minute})
		if tt.fails { // less than one read of the feed
			s = openAt(t, client, redisstore.Options{Timeout: 50 * time.Millisecond})
		}
		b, err := s.Tail(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		tailed := make(chan error)
		go func() {
			_, err := s.Tail(ctx, b.Next, time.Hour)
			tailed <- err
		}()
		redistest.Eventually(t, func(ctx context.Context) error {
			if clients := watch.Info(ctx, "clients").Val(); !strings.Contains(clients, "blocked_clients:1") {
				return errors.New(clients)
			}
			_, err := s.Load(ctx, "alice")
			if (err != nil) != tt.fails {
				return fmt.Errorf("%+v: a call while the feed is read: got error %v, want one: %t", tt.options, err, tt.fails)
			}
			return nil
		})
		stop()
		if err := <-tailed; !errors.Is(err, context.Canceled) {
			t.Errorf("%+v: reading the feed: got error %v", tt.options, err)
		}
		client.Close()
	}
}
