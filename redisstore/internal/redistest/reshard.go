package redistest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// Reshard moves slots, one after another, each to a master that has not got it,
// at least once and until stop is called, which returns how many moves there were and
// of how many keys. Nobody else may move slots or fail masters over meanwhile.
func (c *Cluster) Reshard(t testing.TB, slots ...int) (stop func() (moves, keys int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var moves, keys int
	var moving sync.WaitGroup
	moving.Go(func() {
		for {
			n, err := c.move(slots[moves%len(slots)])
			if err != nil {
				t.Errorf("after %d moves: %v", moves, err)
				return
			}
			if moves, keys = moves+1, keys+n; ctx.Err() != nil {
				return
			}
		}
	})
	stop = func() (int, int) {
		cancel()
		moving.Wait()
		return moves, keys
	}
	t.Cleanup(func() { stop() })
	return stop
}

// move moves a slot with its keys to another master, as clients are asked to follow,
// and returns how many keys there were.
// https://redis.io/docs/latest/commands/cluster-setslot/
func (c *Cluster) move(slot int) (keys int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seats, i, err := c.owner(ctx, slot)
	if err != nil {
		return 0, err
	}
	if len(seats) < 2 {
		return 0, fmt.Errorf("nowhere to move slot %d", slot)
	}
	from, to := seats[i], seats[(i+1)%len(seats)]
	source, target := c.at(from.addr), c.at(to.addr)
	if err := target.do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.id).Err(); err != nil {
		return 0, err
	}
	if err := source.do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.id).Err(); err != nil {
		return 0, err
	}
	for {
		names, err := source.do(ctx, "CLUSTER", "GETKEYSINSLOT", slot, 10).StringSlice()
		if err != nil {
			return keys, err
		}
		if len(names) == 0 {
			break
		}
		keys += len(names)
		args := []any{"MIGRATE", "127.0.0.1", target.port(), "", 0, patience.Milliseconds(), "KEYS"}
		for _, name := range names {
			args = append(args, name)
		}
		if err := source.do(ctx, args...).Err(); err != nil { // NOKEY, if they expired, is none
			return keys, err
		}
	}
	told := append([]seat{to, from}, seats...) // first the new owner, who so gets the newest epoch
	for _, s := range told {
		if err := c.at(s.addr).do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", to.id).Err(); err != nil {
			return keys, err
		}
	}
	return keys, eventually(func(ctx context.Context) error { return c.settled(ctx, slot, to.id) })
}

// settled reports whether all masters know that one of them has a slot and know its
// epoch: else what the old owner said before, and is still under way, may count for
// more.
func (c *Cluster) settled(ctx context.Context, slot int, id string) error {
	epoch := ""
	for _, n := range c.Nodes {
		seats, err := n.seats(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(seats, func(s seat) bool { return s.addr == n.Addr && s.master }) {
			continue // it hears of it from its master, later
		}
		for _, s := range seats {
			if s.has(slot) != (s.id == id) {
				return fmt.Errorf("%s says that slot %d is still of another", n.Addr, slot)
			}
			if s.id != id {
				continue
			}
			if epoch == "" {
				epoch = s.epoch
			}
			if s.epoch != epoch {
				return fmt.Errorf("%s says that %s is in epoch %s, and not %s", n.Addr, s.addr, s.epoch, epoch)
			}
		}
	}
	return nil
}

// owner returns the masters, and which of them has a slot by its own word: others
// may still go by what was.
func (c *Cluster) owner(ctx context.Context, slot int) (masters []seat, owner int, err error) {
	for _, n := range c.Nodes {
		masters, err := n.seats(ctx)
		if err != nil {
			return nil, 0, err
		}
		masters = slices.DeleteFunc(masters, func(s seat) bool { return !s.master })
		if i := slices.IndexFunc(masters, func(s seat) bool { return s.addr == n.Addr && s.has(slot) }); i >= 0 {
			return masters, i, nil
		}
	}
	return nil, 0, fmt.Errorf("nobody has slot %d", slot)
}
