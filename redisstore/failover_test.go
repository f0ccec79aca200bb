package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// change is what befalls servers that are in use. Meanwhile no ledger is torn, the
// feed is what the ledgers say, and whoever follows it is told if, and only if, what
// it knows was lost.
type change struct {
	name    string
	happens func(t testing.TB, flows func()) // flows waits while both processes work
	loses   bool                             // some of what was acknowledged, for sure
	keeps   bool                             // all that was acknowledged, for sure
	tells   bool                             // readers, perhaps, of a loss that there is not
}

// underway has a change happen to two processes at work.
func (c change) underway(t *testing.T, client func(testing.TB) redis.UniversalClient) {
	t.Run(c.name, func(t *testing.T) {
		tr := begin(t, client)
		c.happens(t, tr.flows)
		tr.settle()
		tr.flows()
		o := tr.finish()
		if c.loses && o.lost == 0 || c.keeps && o.lost > 0 {
			t.Errorf("%d of %d commits that were acknowledged are lost: want some %t, none %t", o.lost, o.acked, c.loses, c.keeps)
		}
		if o.forNothing > 0 && !c.tells {
			t.Errorf("readers were told %d times that something is lost, and nothing was", o.forNothing)
		}
	})
}

// prove repeats changes in a long run.
func prove(t *testing.T, times int, run func()) {
	t.Helper()
	if !proof() {
		t.Skip("a long run: SALLYPORT_PROOF=1")
	}
	for range times {
		run()
	}
}

func failsOver(pair *redistest.Pair) change {
	return change{name: "the link is cut", loses: true, happens: func(t testing.TB, flows func()) {
		pair.CutLink(t)
		flows()
		pair.Promote(t)
	}}
}

func TestFailover(t *testing.T) {
	pair := redistest.StartPair(t)
	failsOver(pair).underway(t, func(t testing.TB) redis.UniversalClient { return pair.Client(t) })
}

func TestProofFailover(t *testing.T) {
	long(t)
	pair := redistest.StartPair(t)
	prove(t, 30, func() {
		failsOver(pair).underway(t, func(t testing.TB) redis.UniversalClient { return pair.Client(t) })
		pair.Rejoin(t)
	})
}

// While the Sentinels make another master, the old one goes on taking writes, and
// they are lost.
func sentinelFailsOver(s *redistest.Sentinel) change {
	return change{name: "SENTINEL FAILOVER", happens: func(t testing.TB, _ func()) { s.Failover(t) }}
}

func TestSentinelFailover(t *testing.T) {
	long(t)
	t.Parallel()
	s := redistest.StartSentinel(t)
	sentinelFailsOver(s).underway(t, func(t testing.TB) redis.UniversalClient { return s.Client(t) })
}

func TestProofSentinelFailover(t *testing.T) {
	long(t)
	var s *redistest.Sentinel
	prove(t, 5, func() {
		if s == nil {
			s = redistest.StartSentinel(t)
		}
		for _, c := range []change{
			sentinelFailsOver(s),
			{name: "the master is killed", happens: func(t testing.TB, _ func()) { s.KillMaster(t) }},
			{name: "the master hangs", happens: func(t testing.TB, _ func()) { s.FreezeMaster(t) }},
			{name: "the link is cut and the master is killed", loses: true, happens: func(t testing.TB, flows func()) {
				s.CutLink(t)
				flows()
				s.KillMaster(t)
			}},
		} {
			c.underway(t, func(t testing.TB) redis.UniversalClient { return s.Client(t) })
			s.Rejoin(t)
		}
	})
}

// With min-replicas-to-write the old master takes no writes once its replica has left.
func TestProofSentinelFailoverCareful(t *testing.T) {
	long(t)
	var s *redistest.Sentinel
	prove(t, 5, func() {
		if s == nil {
			s = redistest.StartSentinel(t, "--min-replicas-to-write", "1")
		}
		sentinelFailsOver(s).underway(t, func(t testing.TB) redis.UniversalClient { return s.Client(t) })
	})
}

// clusterChanges are what befalls a Cluster in a few seconds.
func clusterChanges(c *redistest.Cluster, slot int) []change {
	return []change{
		{name: "CLUSTER FAILOVER", keeps: true, happens: func(t testing.TB, _ func()) { c.Failover(t, slot) }},
		{name: "the link is cut, and CLUSTER FAILOVER TAKEOVER", loses: true, happens: func(t testing.TB, flows func()) {
			c.CutLink(t, slot)
			flows()
			c.Takeover(t, slot)
		}},
	}
}

func TestClusterFailover(t *testing.T) {
	long(t)
	t.Parallel()
	c := redistest.StartCluster(t, 3, 1)
	for _, change := range clusterChanges(c, c.Slot(t, "{00}")) {
		change.underway(t, func(t testing.TB) redis.UniversalClient { return c.Client(t) })
	}
	t.Run("the master dies with nobody to say so", func(t *testing.T) { afterTakeover(t, c) })
}

// A client of a Cluster learns from the servers where slots are. Where one died that
// could have told it, it has to ask.
func afterTakeover(t *testing.T, c *redistest.Cluster) {
	s := openAt(t, c.Client(t), redisstore.Options{Timeout: time.Second})
	if _, err := s.Tail(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	slot := c.Slot(t, "{00}")
	old := c.Master(t, slot)
	c.Takeover(t, slot)
	old.Kill()
	defer c.Rejoin(t, slot, old)
	redistest.Eventually(t, func(context.Context) error { _, err := s.Tail(t.Context(), "", 0); return err })
}

func TestProofClusterFailover(t *testing.T) {
	long(t)
	var c *redistest.Cluster
	prove(t, 3, func() {
		if c == nil {
			c = redistest.StartCluster(t, 3, 1)
		}
		for _, bucket := range []string{"{00}", "{01}", "{02}", "{03}"} {
			slot := c.Slot(t, bucket)
			var old *redistest.Server
			for _, change := range append(clusterChanges(c, slot),
				change{name: "CLUSTER FAILOVER TAKEOVER", happens: func(t testing.TB, _ func()) { c.Takeover(t, slot) }},
				change{name: "the master is killed", happens: func(t testing.TB, _ func()) { _, old = c.KillMaster(t, slot) }},
				change{name: "the master hangs", happens: func(t testing.TB, _ func()) { _, old = c.FreezeMaster(t, slot) }},
			) {
				change.underway(t, func(t testing.TB) redis.UniversalClient { return c.Client(t) })
				if old != nil {
					c.Rejoin(t, slot, old)
				}
			}
		}
	})
}
