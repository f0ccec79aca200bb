package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sallyport-go/sallyport/sqlstore/internal/schema"
)

// Migrations make the tables, in the format of goose: a folder for each [Dialect],
// named after it. Package migrate applies them; any tool that knows the format can,
// and the part between "+goose Up" and "+goose Down" is plain SQL.
//
// A down migration drops nothing. It renames the tables, "user_sessions" to
// "user_sessions_aside", so that what they hold can be looked at and dropped by hand;
// while tables of those names stand, another one fails.
//
//go:embed migrations
var Migrations embed.FS

// MigrationsFor returns the folder of [Migrations] for one dialect.
func MigrationsFor(d Dialect) (fs.FS, error) {
	if engines[d] == nil {
		return nil, fmt.Errorf("sqlstore: Dialect %q: want SQLite, MySQL or PostgreSQL", d)
	}
	return fs.Sub(Migrations, "migrations/"+string(d))
}

// Queryer is what [CheckSchema] asks: a *sql.DB, a *sql.Conn or a *sql.Tx.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// ErrSchema is returned where the tables are not those that [Migrations] make.
var ErrSchema = errors.New("sqlstore: the tables are not those of the migrations")

// CheckSchema compares the tables of a database with those that all of [Migrations]
// make, and returns an error that wraps [ErrSchema] and names each difference. Columns
// that others have added are none if an INSERT may leave them out, and further indexes
// are none. It writes nothing.
func CheckSchema(ctx context.Context, db Queryer, d Dialect) error {
	fsys, err := MigrationsFor(d)
	if err != nil {
		return err
	}
	migrations, err := schema.Read(fsys, string(d))
	if err != nil {
		return fmt.Errorf("sqlstore: migrations: %w", err)
	}
	want := schema.At(migrations, migrations[len(migrations)-1].Version)
	names := make([]string, len(want))
	for i, t := range want {
		names[i] = t.Name
	}
	got, err := schema.Tables(ctx, db, string(d), names...)
	switch wrong := schema.Compare(want, got); {
	case err != nil:
		return fmt.Errorf("sqlstore: reading the schema: %w", err)
	case len(got) == 0:
		return fmt.Errorf("%w: there are none: are the migrations applied?", ErrSchema)
	case len(wrong) > 0:
		return fmt.Errorf("%w: %s", ErrSchema, strings.Join(wrong, "; "))
	}
	return nil
}
