package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxSkew is how far a server's clock may be from this process's: what is over is
// trimmed, and ledgers expire, by the server's.
const maxSkew = time.Second

// maxLag is for how long a replica may have said nothing and count as there: what
// Redis itself has min-replicas-max-lag at.
const maxLag = 10

// checkServer asks one server, and reports whether it has answered. It does so after
// now; latest tells what the time may be at most.
func (s *Store) checkServer(ctx context.Context, client redis.Cmdable, now time.Time, latest func() time.Time) (f findings, answered bool) {
	said, err := call(ctx, s, s.options.Timeout, func(ctx context.Context) (*said, error) { return ask(ctx, client) })
	if err == nil && !refused(said.time.Err()) {
		err = said.time.Err()
	}
	if err != nil {
		f.silent(err)
		return f, false
	}
	about := said.facts()
	_, one := s.client.(*redis.Client)
	_, cluster := s.client.(*redis.ClusterClient) // which finds the masters by itself
	if about["role"] == "slave" && !cluster {
		f.add("give New a client of the master, or one that finds it: NewFailoverClient without ReplicaOnly",
			"it is a replica of %s:%s: a change is refused there, or lost", about["master_host"], about["master_port"])
		return f, true
	}
	said.commands(&f, s.options.Replicas > 0)
	if said.time.Err() == nil {
		said.clock(&f, now, latest())
	}
	about.version(&f, !one)
	about.cluster(&f, one)
	about.memory(&f)
	about.persistence(&f)
	about.replicas(&f, s.options.Replicas)
	return f, true
}

// said is what a server has said.
type said struct {
	time          *redis.TimeCmd
	eval, evalsha *redis.Cmd
	wait          *redis.IntCmd
	info, cluster *redis.StringCmd
	memory, fsync *redis.MapStringStringCmd
}

var trivialScript = redis.NewScript("return 1")

func ask(ctx context.Context, client redis.Cmdable) (*said, error) {
	var s said
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		s.time = p.Time(ctx)
		s.eval = trivialScript.Eval(ctx, p, nil) // so that EVALSHA finds it
		s.evalsha = trivialScript.EvalSha(ctx, p, nil)
		s.wait = wait(ctx, 0, time.Millisecond) // for nobody
		p.Process(ctx, s.wait)
		s.info = p.Info(ctx)
		s.cluster = p.ClusterInfo(ctx)
		s.memory = p.ConfigGet(ctx, "maxmemory*") // INFO has it too, if it may be asked
		s.fsync = p.ConfigGet(ctx, "appendfsync")
		return nil
	})
	if s.time.Err() != nil || !s.time.Val().IsZero() {
		err = nil // each command has its own
	}
	return &s, err
}

// refused reports whether a server does not know a command, or not for this user.
func refused(err error) bool {
	return redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, "unknown command")
}

// commands looks whether what the store needs may be called.
func (s *said) commands(f *findings, wait bool) {
	need := func(name string, err error, what string) {
		switch {
		case err == nil:
		case refused(err):
			f.add("allow this user "+name+" (ACL SETUSER), and don't rename it", "%s: %v", what, err)
		default:
			f.add("mend what it says, or check again when it is ready", "%s: %v", what, err)
		}
	}
	need("EVAL", s.eval.Err(), "a script can't be run")
	if s.eval.Err() == nil {
		need("EVALSHA", s.evalsha.Err(), "a script can't be run")
	}
	if redis.HasErrorPrefix(s.time.Err(), "NOPERM") {
		need("TIME", s.time.Err(), "scripts can't ask for the time")
	}
	if wait {
		need("WAIT", s.wait.Err(), "replicas can't be waited for")
	}
	if redis.HasErrorPrefix(s.info.Err(), "NOPERM") {
		f.add("allow this user INFO, if only for the check", "how it keeps data can't be looked at: %v", s.info.Err())
	}
}

// clock compares the server's clock with this process's before and after it was
// asked: it is off by at least as much as it is outside of that.
func (s *said) clock(f *findings, before, after time.Time) {
	const remedy = "set the clocks of servers and processes by NTP"
	server := s.time.Val()
	if ahead := server.Sub(after); ahead > maxSkew {
		f.add(remedy, "its clock is at least %v ahead of this process's", ahead.Round(time.Millisecond))
	}
	if behind := before.Sub(server); behind > maxSkew {
		f.add(remedy, "its clock is at least %v behind this process's", behind.Round(time.Millisecond))
	}
}

// facts are what INFO, CLUSTER INFO and CONFIG GET say, under INFO's names. What
// none of them says is missing.
type facts map[string]string

func (s *said) facts() facts {
	f := facts{}
	for _, config := range []*redis.MapStringStringCmd{s.memory, s.fsync} {
		for name, value := range config.Val() {
			f[strings.ReplaceAll(name, "-", "_")] = value
		}
	}
	for _, info := range []*redis.StringCmd{s.info, s.cluster} {
		for line := range strings.Lines(info.Val()) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				f[name] = value
			}
		}
	}
	return f
}

// number returns a number, 0 if there is none.
func (about facts) number(name string) int64 {
	n, _ := strconv.ParseInt(about[name], 10, 64)
	return n
}

// version: a feed that is polled takes XRANGE with "(", which came with 6.2.
func (about facts) version(f *findings, polls bool) {
	var major, minor int
	if n, _ := fmt.Sscanf(about["redis_version"], "%d.%d", &major, &minor); n == 2 && polls && (major < 6 || major == 6 && minor < 2) {
		f.add("run 6.2 or later", "redis_version is %s, and the feed can't be polled", about["redis_version"])
	}
}

func (about facts) cluster(f *findings, one bool) {
	if about["cluster_state"] == "" {
		return
	}
	if n := about.number("cluster_size"); one && n > 1 {
		f.add("give New a client that NewClusterClient made", "it is one of %d masters of a Cluster, and the client is for one server", n)
	}
	const slots = 16384
	if ok := about.number("cluster_slots_ok"); about["cluster_state"] != "ok" || ok != slots {
		f.add("see that every slot has a master that runs (redis-cli --cluster check)", "cluster_state is %s, and %d of %d slots are served", about["cluster_state"], ok, slots)
	}
}

func (about facts) memory(f *findings) {
	policy, limit := about["maxmemory_policy"], about.number("maxmemory")
	if policy == "" || limit <= 0 {
		return // nothing is evicted
	}
	if policy != "noeviction" {
		f.add("set maxmemory-policy noeviction", "maxmemory-policy is %s with a maxmemory of %d bytes, and %d keys were evicted: ledgers and revocations go when memory is full", policy, limit, about.number("evicted_keys"))
	} else if used := about.number("used_memory"); used > limit-limit/10 {
		f.add("raise maxmemory", "used_memory is %d of maxmemory's %d bytes: when they are full, changes are refused", used, limit)
	}
}

func (about facts) persistence(f *findings) {
	switch {
	case about["aof_enabled"] == "0":
		f.add("set appendonly yes", "appendonly is no: a crash loses what has changed since the last snapshot (rdb_changes_since_last_save is %d)", about.number("rdb_changes_since_last_save"))
	case about["aof_enabled"] == "1" && about["appendfsync"] == "no":
		f.add("set appendfsync everysec or always", "appendfsync is no: a crash loses what the system has not written yet, half a minute or so")
	}
	for _, status := range []string{"aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"} {
		if said := about[status]; said != "" && said != "ok" {
			f.add("see the server's log, and whether its disk is full", "%s is %s: data is not kept, and changes may be refused", status, said)
		}
	}
}

func (about facts) replicas(f *findings, want int) {
	if want == 0 || about["role"] == "" {
		return
	}
	online := 0
	for i := range about.number("connected_slaves") {
		is := map[string]string{}
		for word := range strings.SplitSeq(about[fmt.Sprintf("slave%d", i)], ",") {
			name, value, _ := strings.Cut(word, "=")
			is[name] = value
		}
		if lag, err := strconv.Atoi(is["lag"]); err == nil && lag <= maxLag && is["state"] == "online" {
			online++
		}
	}
	if online < want {
		f.add("start replicas, or lower Options.Replicas", "Options.Replicas is %d and %d are online: no change is durable", want, online)
	}
}
