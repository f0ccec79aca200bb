package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// replicaMistake says what is wrong with the settings of waiting for replicas.
func replicaMistake(client redis.UniversalClient, o *Options) error {
	if o.Replicas == 0 {
		return nil
	}
	var readTimeout time.Duration // 0 and less: none
	switch c := client.(type) {
	case *redis.Client:
		readTimeout = c.Options().ReadTimeout
	case *redis.ClusterClient:
		readTimeout = c.Options().ReadTimeout
	default:
		return fmt.Errorf("redisstore: Replicas: want a *redis.Client or a *redis.ClusterClient, not a %T", client)
	}
	switch {
	case o.Replicas < 0:
		return fmt.Errorf("redisstore: Replicas %d: want 0 or more", o.Replicas)
	case o.ReplicaTimeout < time.Millisecond || o.ReplicaTimeout >= o.Timeout:
		return fmt.Errorf("redisstore: ReplicaTimeout %v: want at least 1 ms and less than Timeout, %v", o.ReplicaTimeout, o.Timeout)
	case readTimeout > 0 && readTimeout <= o.ReplicaTimeout:
		return fmt.Errorf("redisstore: ReplicaTimeout %v: want less than the client's ReadTimeout, %v, which would cut it short", o.ReplicaTimeout, readTimeout)
	}
	return nil
}

// sendAndWait is send, and returns [core.ErrNotDurable] when too few replicas have
// the change that took place.
func (s *Store) sendAndWait(ctx context.Context, keys []string, args []any) (any, error) {
	reply, err := s.sendWithWait(ctx, keys, args)
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok || err == nil || errors.Is(err, core.ErrNotDurable) || errors.Is(err, context.DeadlineExceeded) {
		return reply, err
	}
	// The slot may have moved, or its master failed over. The client finds its way, but
	// does not take WAIT along: so once more when it has looked where the slot is.
	reply, err = s.send(ctx, keys, args)
	if _, conflict := reply.(string); conflict || err != nil {
		return reply, err
	}
	if _, err := s.masters(ctx, cluster); err == nil {
		again, err := s.sendWithWait(ctx, keys, args)
		if _, conflict := again.(string); !conflict && err == nil || errors.Is(err, core.ErrNotDurable) {
			return again, err
		}
	}
	return nil, fmt.Errorf("redisstore: the change took place, and how many replicas have it is not known: %w", core.ErrNotDurable)
}

// sendWithWait sends commit.lua and WAIT on one connection, since WAIT is for what
// was written on its own, and in one round trip, or two if the server does not have
// the script.
func (s *Store) sendWithWait(ctx context.Context, keys []string, args []any) (any, error) {
	type replies struct {
		script *redis.Cmd
		wait   *redis.IntCmd
	}
	send := func(script func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd) (replies, error) {
		return call(ctx, s, s.options.Timeout, func(ctx context.Context) (r replies, err error) {
			master, err := s.masterOf(ctx, keys[0])
			if err != nil {
				return r, err
			}
			_, err = master.Pipelined(ctx, func(p redis.Pipeliner) error {
				r.script = script(ctx, p, keys, args...)
				r.wait = wait(ctx, s.options.Replicas, s.options.ReplicaTimeout)
				return p.Process(ctx, r.wait)
			})
			if r.script.Err() == nil && r.script.Val() != nil {
				err = nil // the script has answered, whatever became of WAIT
			}
			return r, err
		})
	}
	r, err := send(commitScript.EvalSha)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		r, err = send(commitScript.Eval)
	}
	var reply any
	if err == nil {
		reply, err = understood(r.script.Val(), nil)
	}
	if _, conflict := reply.(string); conflict || err != nil {
		return reply, err
	}
	switch n, err := r.wait.Result(); {
	case err != nil:
		return nil, fmt.Errorf("redisstore: waiting for replicas: %w: %w", core.ErrNotDurable, err)
	case n < int64(s.options.Replicas):
		return nil, fmt.Errorf("redisstore: %d of %d replicas have the change after %v: %w", n, s.options.Replicas, s.options.ReplicaTimeout, core.ErrNotDurable)
	}
	return reply, nil
}

// masterOf returns a client of the server that has a key.
func (s *Store) masterOf(ctx context.Context, key string) (*redis.Client, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, key)
	}
	return s.client.(*redis.Client), nil // New saw to it
}

func wait(ctx context.Context, replicas int, patience time.Duration) *redis.IntCmd {
	return redis.NewIntCmd(ctx, "wait", replicas, patience.Milliseconds())
}
