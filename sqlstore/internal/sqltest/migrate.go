package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// Apply runs what stands below "-- +goose Up" in each *.sql at the root of fsys, in
// the order of their names, as goose would: a file in one transaction, unless it says
// "-- +goose NO TRANSACTION", and a statement up to a semicolon that ends a line.
// Statements that contain such a semicolon (StatementBegin) are refused.
func Apply(t testing.TB, db *sql.DB, fsys fs.FS) {
	t.Helper()
	migrate(t, db, fsys, "Up")
}

// Revert runs what stands below "-- +goose Down", the last file first, and is
// otherwise as Apply.
func Revert(t testing.TB, db *sql.DB, fsys fs.FS) {
	t.Helper()
	migrate(t, db, fsys, "Down")
}

func migrate(t testing.TB, db *sql.DB, fsys fs.FS, direction string) {
	t.Helper()
	names, err := fs.Glob(fsys, "*.sql")
	if err == nil && len(names) == 0 {
		err = errors.New("there are no migrations")
	}
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	if direction == "Down" {
		slices.Reverse(names)
	}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err == nil {
			err = runMigration(t.Context(), db, string(text), direction)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func runMigration(ctx context.Context, db *sql.DB, text, direction string) error {
	m, err := parseMigration(text)
	if err != nil {
		return err
	}
	statements := m.up
	if direction == "Down" {
		statements = m.down
	}
	if !m.transaction {
		return execAll(ctx, db, statements)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := execAll(ctx, tx, statements); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// execAll takes a *sql.DB or a *sql.Tx.
func execAll(ctx context.Context, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statements []string,
) error {
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%w, of\n%s", err, s)
		}
	}
	return nil
}

// migration is one file.
type migration struct {
	up, down    []string
	transaction bool
}

func parseMigration(text string) (migration, error) {
	m := migration{transaction: true}
	var part *[]string // nil: above both
	var statement strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if note, ok := strings.CutPrefix(strings.TrimSpace(line), "-- +goose "); ok {
			if statement.Len() > 0 {
				return m, fmt.Errorf("no semicolon ends\n%s", statement.String())
			}
			switch strings.TrimSpace(note) {
			case "Up":
				part = &m.up
			case "Down":
				part = &m.down
			case "NO TRANSACTION":
				m.transaction = false
			default:
				return m, fmt.Errorf("%q is not supported", note)
			}
			continue
		}
		code, _, commented := strings.Cut(line, "--")
		if code = strings.TrimRight(code, " \t"); code == "" {
			continue
		}
		if part == nil {
			return m, fmt.Errorf("%q stands above -- +goose Up", line)
		}
		if commented && strings.ContainsAny(code, "'\"`") {
			return m, fmt.Errorf("%q may have its -- in a text", line)
		}
		if statement.Len() > 0 {
			statement.WriteByte('\n')
		}
		statement.WriteString(code)
		if strings.HasSuffix(code, ";") {
			*part = append(*part, strings.TrimSuffix(statement.String(), ";"))
			statement.Reset()
		}
	}
	switch {
	case statement.Len() > 0:
		return m, fmt.Errorf("no semicolon ends\n%s", statement.String())
	case m.up == nil:
		return m, errors.New("nothing stands below -- +goose Up")
	}
	return m, nil
}
