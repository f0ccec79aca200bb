// Package storage opens where an example keeps its sessions: in memory, in Redis or in
// a database, or in Redis with a history in a database. In Redis is also counted how
// often something is tried. And it opens databases of places.
package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/audit"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
	"github.com/sallyport-go/sallyport/geoip"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/migrate"
)

// Storage is where sessions are kept. It is closed after the Auth.
type Storage struct {
	Store    core.Store
	Limiter  core.Limiter                      // nil: each process counts on its own
	Resolver core.Resolver                     // nil: no place is known
	Audit    func(context.Context, core.Event) // for core.Config.Audit

	closes []func() error
}

// Open opens what the settings name. A Redis that is away is no error, a database is:
// it has to have its tables.
func Open(ctx context.Context, set settings.Settings) (*Storage, error) {
	s := &Storage{Store: memstore.New(), Audit: audit.Log}
	if set.Redis != nil {
		client := redis.NewUniversalClient(set.Redis)
		s.closes = append(s.closes, client.Close)
		live, err := redisstore.New(client, redisstore.Options{})
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		limiter, err := redisstore.NewLimiter(client, redisstore.LimiterOptions{})
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.Store, s.Limiter = live, limiter
	}
	if set.Places != nil {
		if err := s.places(set.Places); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if set.Database != nil {
		if err := s.database(ctx, set.Database, set.Redis != nil); err != nil {
			return nil, errors.Join(fmt.Errorf("DATABASE_URL: %w", err), s.Close())
		}
	}
	return s, nil
}

// database keeps sessions in a database or, beside a live store, their history.
func (s *Storage) database(ctx context.Context, d *settings.Database, live bool) error {
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		return err
	}
	s.closes = append(s.closes, db.Close)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := migrate.Up(ctx, db, d.Dialect); err != nil {
		return err
	}
	history, err := sqlstore.NewHistory(db, d.Dialect, sqlstore.HistoryOptions{})
	if err != nil {
		return err
	}
	s.closes = append(s.closes, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return history.Close(ctx) // writes what waits
	})
	s.Audit = history.Audit(audit.Log)
	if live {
		s.Store = history.Wrap(s.Store)
		return nil
	}
	s.Store, err = sqlstore.New(db, d.Dialect, sqlstore.Options{})
	return err
}

// places reads databases of places, and reads them again when they change.
func (s *Storage) places(files []string) error {
	resolver, err := geoip.Open(files...)
	if err != nil {
		var wrong []error
		for line := range strings.Lines(err.Error()) {
			wrong = append(wrong, errors.New("GEOIP_FILE: "+strings.TrimSpace(line)))
		}
		return errors.Join(wrong...)
	}
	s.closes = append(s.closes, resolver.Close)
	go resolver.Follow(context.Background(), 0) // until it is closed
	s.Resolver = resolver
	return nil
}

// Close closes what was opened, the last first.
func (s *Storage) Close() error {
	var errs []error
	for i := range s.closes {
		errs = append(errs, s.closes[len(s.closes)-1-i]())
	}
	return errors.Join(errs...)
}
