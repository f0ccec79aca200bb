package redistest

import (
	"slices"
	"testing"
	"time"
)

// CutLink cuts replication between the master of a slot and its replica, which it
// returns. The replica has what was written before, and gets nothing of what is
// written after CutLink has returned.
func (c *Cluster) CutLink(t testing.TB, slot int) (replica *Server) {
	t.Helper()
	replica = c.Replica(t, slot)
	c.Master(t, slot).cutLink(t, replica)
	return replica
}

// Failover has the master of a slot and its replica change roles in agreement
// (CLUSTER FAILOVER): nothing is lost. It returns the new master, as does each of
// these, when all nodes agree on it.
func (c *Cluster) Failover(t testing.TB, slot int) (promoted *Server) {
	t.Helper()
	return c.elect(t, slot, func(replica *Server) { replica.Do(t, "CLUSTER", "FAILOVER") })
}

// elect has the replica of a slot's master elected by something that makes the
// others do so.
func (c *Cluster) elect(t testing.TB, slot int, by func(replica *Server)) (promoted *Server) {
	t.Helper()
	promoted = c.Replica(t, slot)
	if promoted.elected != nil {
		<-promoted.elected
	}
	by(promoted)
	c.promoted(t, slot, promoted)
	promoted.elected = time.After(electionsApart)
	return promoted
}

// electionsApart is how long a node that was elected is not elected again: for four
// node timeouts it counts the votes that it got.
const electionsApart = 4*nodeTimeout + time.Second

// Takeover has the replica of a slot's master take over without asking anybody,
// with what it has. The old master becomes a replica.
func (c *Cluster) Takeover(t testing.TB, slot int) (promoted *Server) {
	t.Helper()
	master := c.Master(t, slot)
	promoted = c.Replica(t, slot)
	promoted.Do(t, "CLUSTER", "FAILOVER", "TAKEOVER")
	c.promoted(t, slot, promoted)
	master.catchUp(t, promoted)
	return promoted
}

// KillMaster kills the master of a slot, and its replica is elected. Rejoin brings
// the dead one back.
func (c *Cluster) KillMaster(t testing.TB, slot int) (promoted, dead *Server) {
	t.Helper()
	dead = c.Master(t, slot)
	return c.elect(t, slot, func(*Server) { dead.Kill() }), dead
}

// FreezeMaster has the master of a slot hang, and its replica is elected. Rejoin
// has the other go on.
func (c *Cluster) FreezeMaster(t testing.TB, slot int) (promoted, frozen *Server) {
	t.Helper()
	frozen = c.Master(t, slot)
	return c.elect(t, slot, func(*Server) { frozen.Freeze(t) }), frozen
}

// Rejoin brings back a node that was killed or frozen, and waits until it is a
// replica of the master of a slot that has all.
func (c *Cluster) Rejoin(t testing.TB, slot int, node *Server) {
	t.Helper()
	node.comeBack(t)
	node.catchUp(t, c.Master(t, slot))
}

// promoted waits until a node is the master of a slot for all, and all know its epoch:
// else whoever takes over next may take the same.
func (c *Cluster) promoted(t testing.TB, slot int, node *Server) {
	t.Helper()
	node.healLink(t) // which was cut, perhaps, when it was master before
	epoch := ""
	c.agree(t, node.Addr+" has the slot", func(seats []seat) bool {
		i := slices.IndexFunc(seats, func(s seat) bool { return s.has(slot) })
		if i < 0 || seats[i].addr != node.Addr || epoch != "" && epoch != seats[i].epoch {
			epoch = "" // all are asked again
			return false
		}
		epoch = seats[i].epoch
		return true
	})
}
