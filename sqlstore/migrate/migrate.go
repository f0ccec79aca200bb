package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"go.uber.org/multierr"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/schema"
)

// Table is where goose notes which versions were applied. It is not goose's own
// default, which may be the app's.
const Table = "user_session_schema"

var (
	// ErrTooNew is returned where a later version of this module has migrated.
	ErrTooNew = errors.New("migrate: the database is of a later version")
	// ErrSchema is returned where the tables are not as a migration has left them, or
	// as one would find them.
	ErrSchema = errors.New("migrate: the tables are not as they should be")
	// ErrAside is returned by Down while tables stand where it would rename to.
	ErrAside = errors.New("migrate: what another Down has put aside is still there")
	// ErrNone is returned by Down where nothing was applied.
	ErrNone = errors.New("migrate: there is nothing to undo")
)

// Up applies all migrations that were not applied. Where they all were, it reads and
// takes no lock. Otherwise it waits for its turn, until ctx is done: processes that
// start together come one after the other, and one that dies lets go.
//
// A database that is not as it should be is refused, with [ErrTooNew] or [ErrSchema],
// and stays as it is. In SQLite and PostgreSQL a migration is applied whole or not at
// all. In MySQL, one that was cut off leaves some of its tables, which the next Up
// refuses, naming them and how to go on.
func Up(ctx context.Context, db *sql.DB, d sqlstore.Dialect) error {
	m, err := open(db, d)
	if err != nil {
		return err
	}
	return m.up(ctx)
}

func (m *migrator) up(ctx context.Context) error {
	next := int64(1)
	if now, err := m.look(ctx, m.db); err == nil && m.judge(now) == nil { // else it may be that another migrates
		next = now.version + 1
	}
	turned := 0
	for next <= m.latest() {
		turn := &turn{migrator: m}
		turn.before = func(now state) error {
			if want := next; now.version+1 != want {
				next = now.version + 1
				return errTurned
			}
			return nil
		}
		turn.after = func(now state) bool { return now.version == next }
		err := m.run(ctx, turn, func(p *goose.Provider) error {
			_, err := p.ApplyVersion(ctx, next, true)
			return err
		})
		switch {
		case err == nil:
			next++
		case !errors.Is(err, errTurned):
			return err
		default:
			if turned++; turned > 2*len(m.migrations) {
				return fmt.Errorf("%w than it was a moment ago, again and again: does another process call Down, or is each connection one to another database?", err)
			}
		}
	}
	return nil
}

// errTurned says that others have migrated in the meantime.
var errTurned = errors.New("migrate: the version is another one")

// Down undoes the last migration that was applied. It drops nothing: the tables are
// renamed, "user_sessions" to "user_sessions_aside", and Up makes empty ones. While
// tables of those names stand it changes nothing and returns [ErrAside]. No process
// may use the tables meanwhile.
func Down(ctx context.Context, db *sql.DB, d sqlstore.Dialect) error {
	m, err := open(db, d)
	if err != nil {
		return err
	}
	return m.down(ctx)
}

func (m *migrator) down(ctx context.Context) error {
	var from int64
	turn := &turn{migrator: m}
	turn.before = func(now state) error {
		if from = now.version; from == 0 {
			return ErrNone
		}
		return m.aside(now)
	}
	turn.after = func(now state) bool { return now.version == from-1 }
	return m.run(ctx, turn, func(p *goose.Provider) error {
		_, err := p.Down(ctx)
		return err
	})
}

// Adopt notes all migrations as applied, of which another tool, or somebody by hand,
// has made the tables, so that Up goes on from there. It returns [ErrSchema] if they
// are not exactly there.
func Adopt(ctx context.Context, db *sql.DB, d sqlstore.Dialect) error {
	m, err := open(db, d)
	if err != nil {
		return err
	}
	return m.adopt(ctx)
}

// Version is how far a database is.
type Version struct {
	Database int64 // the migration that was applied last; 0: none
	Latest   int64 // the last that this program has
}

// Status returns how far a database is, and what Up would refuse as an error. It takes
// no lock: on MySQL it may see what another process is about to finish.
func Status(ctx context.Context, db *sql.DB, d sqlstore.Dialect) (Version, error) {
	m, err := open(db, d)
	if err != nil {
		return Version{}, err
	}
	now, err := m.look(ctx, db)
	if err == nil {
		err = m.judge(now)
	}
	return Version{Database: now.version, Latest: m.latest()}, err
}

// migrator is what one call works with.
type migrator struct {
	db         *sql.DB
	dialect    sqlstore.Dialect
	fsys       fs.FS
	migrations []schema.Migration
	locker     locker
}

func open(db *sql.DB, d sqlstore.Dialect) (*migrator, error) {
	if db == nil {
		return nil, errors.New("migrate: no database")
	}
	fsys, err := sqlstore.MigrationsFor(d)
	if err != nil {
		return nil, err
	}
	return over(db, d, fsys)
}

// over is open with other migrations.
func over(db *sql.DB, d sqlstore.Dialect, fsys fs.FS) (*migrator, error) {
	migrations, err := schema.Read(fsys, string(d))
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	return &migrator{db: db, dialect: d, fsys: fsys, migrations: migrations, locker: lockers[d]}, nil
}

func (m *migrator) latest() int64 { return m.migrations[len(m.migrations)-1].Version }

// goose's names of the dialects.
var gooses = map[sqlstore.Dialect]goose.Dialect{
	sqlstore.SQLite:     goose.DialectSQLite3,
	sqlstore.MySQL:      goose.DialectMySQL,
	sqlstore.PostgreSQL: goose.DialectPostgres,
}

// run has goose do something in a turn, and returns what went wrong first.
func (m *migrator) run(ctx context.Context, t *turn, do func(*goose.Provider) error) error {
	p, err := goose.NewProvider(gooses[m.dialect], m.db, m.fsys,
		goose.WithTableName(Table),
		goose.WithSessionLocker(t),
		goose.WithDisableGlobalRegistry(true), // which has the app's own
		goose.WithIsolateDDL(true),            // begins no transaction: the turn is one
	)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	err = m.patiently(ctx, func() error { return do(p) })
	if t.refusal != nil {
		return t.refusal
	}
	all := multierr.Errors(err)
	if len(all) == 0 {
		return nil
	}
	// The first is the cause: the others say what came of it.
	if err = all[0]; !errors.Is(err, ErrSchema) {
		err = fmt.Errorf("migrate: %w", err)
	}
	switch last := all[len(all)-1]; {
	case m.dialect != sqlstore.MySQL:
		return fmt.Errorf("%w; nothing was changed", err)
	case len(all) > 1 && errors.Is(last, ErrSchema): // and it stays so
		return fmt.Errorf("%w; %w", err, last)
	}
	return err
}

func (m *migrator) adopt(ctx context.Context) error {
	var conn *sql.Conn
	err := m.patiently(ctx, func() (err error) {
		conn, err = m.db.Conn(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close()
	t := &turn{migrator: m, adopts: true}
	t.before = func(now state) error {
		if wrong := schema.Compare(schema.At(m.migrations, m.latest()), now.tables); len(wrong) > 0 {
			return refused(ErrSchema, wrong...)
		}
		return nil
	}
	t.after = func(now state) bool { return now.version == m.latest() }
	if err := t.SessionLock(ctx, conn); err != nil {
		return err
	}
	err = m.note(ctx, conn, t.now, m.latest())
	return errors.Join(err, t.SessionUnlock(context.WithoutCancel(ctx), conn))
}

// begun ends what was cut off between the making of Table and its first row.
func (m *migrator) begun(ctx context.Context, conn *sql.Conn, now *state) error {
	if now.tables[Table] == nil || len(now.versions) > 0 {
		return nil
	}
	err := m.note(ctx, conn, *now, 0)
	now.versions = []int64{0}
	return err
}

// note writes all versions up to one that are not noted.
func (m *migrator) note(ctx context.Context, conn *sql.Conn, now state, latest int64) error {
	store, err := database.NewStore(gooses[m.dialect], Table)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if now.tables[Table] == nil {
		if err := store.CreateVersionTable(ctx, conn); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	for v := int64(len(now.versions)); v <= latest; v++ { // there are no gaps
		if err := store.Insert(ctx, conn, database.InsertRequest{Version: v}); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	return nil
}
