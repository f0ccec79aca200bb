package sealed

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Store returns store with personal data sealed: what it is given to keep is
// sealed, what it is asked for is opened. It is a [core.Sweeper], a
// [core.ManyLoader] and a [core.Checker] exactly if store is; other methods of
// store it does not have. Errors of store come back as they are. A Load, a
// LoadMany or a conflicting Commit that meets a value which does not open fails
// with [ErrSealed].
//
// Store of nil is nil.
func (s *Sealer) Store(store core.Store) core.Store {
	if store == nil {
		return nil
	}
	type (
		S = core.Sweeper
		M = core.ManyLoader
		C = core.Checker
	)
	sweep, sweeps := store.(S)
	load, loads := store.(M)
	check, checks := store.(C)
	basic, many := &sealedStore{store, s}, &manyLoader{load, s}
	switch [3]bool{sweeps, loads, checks} {
	case [3]bool{true, false, false}:
		return struct {
			core.Store
			S
		}{basic, sweep}
	case [3]bool{false, true, false}:
		return struct {
			core.Store
			M
		}{basic, many}
	case [3]bool{false, false, true}:
		return struct {
			core.Store
			C
		}{basic, check}
	case [3]bool{true, true, false}:
		return struct {
			core.Store
			S
			M
		}{basic, sweep, many}
	case [3]bool{true, false, true}:
		return struct {
			core.Store
			S
			C
		}{basic, sweep, check}
	case [3]bool{false, true, true}:
		return struct {
			core.Store
			M
			C
		}{basic, many, check}
	case [3]bool{true, true, true}:
		return struct {
			core.Store
			S
			M
			C
		}{basic, sweep, many, check}
	}
	return basic
}

// sealedStore is what every store has.
type sealedStore struct {
	store  core.Store
	sealer *Sealer
}

// Load implements [core.Store].
func (s *sealedStore) Load(ctx context.Context, userID string) (core.Ledger, error) {
	l, err := s.store.Load(ctx, userID)
	if err == nil {
		err = s.sealer.openLedger(userID, &l)
	}
	if err != nil {
		return core.Ledger{}, err
	}
	return l, nil
}

// Commit implements [core.Store].
func (s *sealedStore) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	stands, err := s.store.Commit(ctx, userID, s.sealer.sealChange(userID, c))
	if !errors.Is(err, core.ErrConflict) {
		return core.Ledger{}, err
	}
	if closed := s.sealer.openLedger(userID, &stands); closed != nil {
		return core.Ledger{}, closed // not ErrConflict: there is no ledger to go on from
	}
	return stands, err
}

// Tail implements [core.Store].
func (s *sealedStore) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	return s.store.Tail(ctx, after, wait)
}

// manyLoader is what a [core.ManyLoader] has besides.
type manyLoader struct {
	store  core.ManyLoader
	sealer *Sealer
}

// LoadMany implements [core.ManyLoader].
func (m *manyLoader) LoadMany(ctx context.Context, userIDs []string) (map[string]core.Ledger, error) {
	ledgers, err := m.store.LoadMany(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	for id, l := range ledgers {
		if err := m.sealer.openLedger(id, &l); err != nil {
			return nil, err
		}
		ledgers[id] = l
	}
	return ledgers, nil
}
