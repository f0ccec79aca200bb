package sqltest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestApply(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fsys := fstest.MapFS{
		"00002_b.sql": file("-- +goose Up\nALTER TABLE a ADD COLUMN m int; -- more\nINSERT INTO a\n-- both\nVALUES (1, 2);\n\n-- +goose Down\nALTER TABLE a DROP COLUMN m;\n"),
		"00001_a.sql": file("-- What it is for; or not.\n\n-- +goose Up\r\nCREATE TABLE a ( -- all\r\n  n int\r\n);\r\n-- +goose Down\r\nDROP TABLE a;\r\n"),
		"00003_c.sql": file("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE c (n int);\n-- +goose Down\nDROP TABLE c;\n"),
		"readme.md":   file("no SQL"),
		"old/1.sql":   file("no SQL"),
	}
	each(t, func(t *testing.T, d Database) {
		db := d.Open(t)
		Apply(t, db, fsys)
		if got := ask(t, db, "SELECT n + m FROM a"); got != "3" {
			t.Errorf("got %s, want 3", got)
		}
		Revert(t, db, fsys)
		Apply(t, db, fsys)
		if got := ask(t, db, "SELECT count(*) FROM a"); got != "1" {
			t.Errorf("got %s rows after going back and forth, want 1", got)
		}
	})
}

// A file that fails in the middle leaves nothing, where the engine can undo a table.
func TestApplyIsOneTransaction(t *testing.T) {
	each(t, func(t *testing.T, d Database) {
		db := d.Open(t)
		const text = "-- +goose Up\nCREATE TABLE a (n int);\nno SQL;\n"
		err := runMigration(t.Context(), db, text, "Up")
		if err == nil || !strings.Contains(err.Error(), "no SQL") {
			t.Errorf("got %v, want the statement that is wrong", err)
		}
		_, err = db.Exec("SELECT * FROM a")
		if left := err == nil; left != (d.Engine == mariadbEngine) {
			t.Errorf("got %v of the table", err)
		}
		_ = runMigration(t.Context(), db, strings.ReplaceAll("-- +goose NO TRANSACTION\n"+text, "TABLE a", "TABLE b"), "Up")
		if _, err = db.Exec("SELECT * FROM b"); err != nil {
			t.Errorf("without a transaction got %v", err)
		}
	})
}

func TestParseMigration(t *testing.T) {
	for text, want := range map[string]migration{
		"-- +goose Up\nA;\nB\n C;\n":                                           {up: []string{"A", "B\n C"}, transaction: true},
		"-- +goose Up\nA;\n-- +goose Down\nB;":                                 {up: []string{"A"}, down: []string{"B"}, transaction: true},
		"-- +goose NO TRANSACTION\n-- +goose Up\nA;":                           {up: []string{"A"}},
		"-- +goose Up\nA; B;\n":                                                {up: []string{"A; B"}, transaction: true},
		"-- +goose Up\nA 'x;y';  \n":                                           {up: []string{"A 'x;y'"}, transaction: true},
		"-- about; it\n-- +goose Up\n-- and;\nA; -- more;\nB -- b\nC -- c;\n;": {up: []string{"A", "B\nC\n"}, transaction: true},
	} {
		got, err := parseMigration(text)
		if err != nil || !slices.Equal(got.up, want.up) || !slices.Equal(got.down, want.down) || got.transaction != want.transaction {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"":                                    "nothing stands below",
		"-- +goose Down\nA;":                  "nothing stands below",
		"A;\n-- +goose Up\nB;":                "stands above",
		"-- +goose Up\nA;\nB\n":               "no semicolon",
		"-- +goose Up\nA\n-- +goose Down\nB;": "no semicolon",
		"-- +goose Up\n-- +goose StatementBegin\n": "not supported",
		"-- +goose Up\nA '--';\n":                  "in a text",
	} {
		if got, err := parseMigration(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %+v, %v, want %q", text, got, err, why)
		}
	}
}
