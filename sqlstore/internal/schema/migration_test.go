package schema

import (
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// The migrations are written in what Read knows, and all three make the same tables.
func TestRead(t *testing.T) {
	var first []Table
	for _, dialect := range []string{sqlite, mysql, postgres} {
		all, err := Read(os.DirFS("../../migrations/"+dialect), dialect)
		if err != nil {
			t.Fatalf("%s: %v", dialect, err)
		}
		tables := At(all, all[len(all)-1].Version)
		if first == nil {
			first = tables
		}
		if got := len(At(all, 0)); got != 0 {
			t.Errorf("%s: version 0 has %d tables", dialect, got)
		}
		if len(tables) != 6 || len(all[0].Aside) != 6 {
			t.Fatalf("%s: got %d tables, of which Down renames %d", dialect, len(tables), len(all[0].Aside))
		}
		for i, table := range tables {
			if want := (Rename{table.Name, table.Name + "_aside"}); all[0].Aside[i] != want {
				t.Errorf("%s: got %v, want %v", dialect, all[0].Aside[i], want)
			}
			if !reflect.DeepEqual(table.Key, first[i].Key) || !reflect.DeepEqual(table.Indexes, first[i].Indexes) || len(table.Key) == 0 {
				t.Errorf("%s: %s has key %v and indexes %v, want %v and %v", dialect, table.Name, table.Key, table.Indexes, first[i].Key, first[i].Indexes)
			}
			if len(table.Columns) != len(first[i].Columns) {
				t.Fatalf("%s: %s has %d columns, want %d", dialect, table.Name, len(table.Columns), len(first[i].Columns))
			}
			for n, c := range table.Columns {
				if other := first[i].Columns[n]; c.Name != other.Name || c.NotNull != other.NotNull {
					t.Errorf("%s: %s has %+v where another dialect has %+v", dialect, table.Name, c, other)
				}
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	const rest = "\n-- +goose Down\n"
	for text, why := range map[string]string{
		"-- +goose Up\nCREATE TABLE a (\n    id text\n);":                                               "no Up and Down",
		"-- +goose Up\nALTER TABLE a ADD COLUMN b text;" + rest:                                         "can't read",
		"-- +goose Up\nCREATE TABLE a (\n    id text DEFAULT ''\n);" + rest:                             "can't read",
		"-- +goose Up\nCREATE UNIQUE INDEX a ON b (c);" + rest:                                          "can't read",
		"-- +goose Up\nCREATE INDEX a ON b (c);" + rest:                                                 "on no table",
		"-- +goose Up\nCREATE TABLE a (\n    id text NOT NULL,\n    PRIMARY KEY (lower(id))\n);" + rest: "can't read",
	} {
		_, err := Read(fstest.MapFS{"00001_a.sql": {Data: []byte(text)}}, sqlite)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %q", text, err, why)
		}
	}
	good := &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE a (\n    id text\n);" + rest)}
	for why, fsys := range map[string]fstest.MapFS{
		"no version":        {"a.sql": good},
		"no migration 1":    {"00002_a.sql": good},
		"no migration 2":    {"00001_a.sql": good, "00003_a.sql": good},
		"are no migrations": {},
	} {
		if _, err := Read(fsys, sqlite); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
}

func TestPlainType(t *testing.T) {
	for printed, want := range map[[2]string]string{
		{mysql, "int(11)"}:                        "int",
		{mysql, "int(10) unsigned"}:               "int unsigned",
		{mysql, "bigint"}:                         "bigint",
		{mysql, "tinyint(1)"}:                     "tinyint",
		{mysql, "boolean"}:                        "tinyint",
		{mysql, "varbinary(255)"}:                 "varbinary(255)",
		{mysql, "datetime(3)"}:                    "datetime(3)",
		{postgres, "timestamptz(3)"}:              "timestamp(3) with time zone",
		{postgres, "timestamp(3) with time zone"}: "timestamp(3) with time zone",
		{sqlite, "TEXT"}:                          "text",
	} {
		if got := plainType(printed[1], printed[0]); got != want {
			t.Errorf("%v: got %q, want %q", printed, got, want)
		}
	}
}
