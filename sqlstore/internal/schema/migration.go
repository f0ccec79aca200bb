// Package schema reads which tables the migrations make, and compares them with those
// of a database.
package schema

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The dialects are named as their folders of migrations.
const (
	sqlite   = "sqlite"
	mysql    = "mysql"
	postgres = "postgres"
)

// Migration is one file of migrations.
type Migration struct {
	Version int64
	Tables  []Table  // what Up makes
	Aside   []Rename // what Down renames
}

// Rename is how a table is called before and after.
type Rename struct{ From, To string }

// Table is one as it should be, or as it is.
type Table struct {
	Name    string
	Columns []Column
	Key     []string
	Indexes []Index
}

// Column is one column of a table. Types are written alike, however a database prints them.
type Column struct {
	Name, Type string
	Collation  string // "": any
	NotNull    bool
	Default    bool // that an INSERT may leave it out
}

// Index is one that is no primary key.
type Index struct {
	Name    string
	Columns []string
	Unique  bool
}

// Read reads the migrations of a dialect, in the order of their versions. It knows no
// other SQL than what they are written in: one column a line, and in Up no statement
// but CREATE TABLE and CREATE INDEX.
func Read(fsys fs.FS, dialect string) ([]Migration, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		digits, _, _ := strings.Cut(name, "_")
		m := Migration{}
		if m.Version, err = strconv.ParseInt(digits, 10, 64); err != nil {
			return nil, fmt.Errorf("%s: its name begins with no version", name)
		}
		if err := m.read(string(text), dialect); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Migration) int { return int(a.Version - b.Version) })
	for i, m := range all {
		if m.Version != int64(i+1) {
			return nil, fmt.Errorf("there is no migration %d", i+1)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there are no migrations")
	}
	return all, nil
}

var (
	comments    = regexp.MustCompile(`(?m)[ \t]*--.*$`)
	createTable = regexp.MustCompile(`^CREATE TABLE (\w+) \(([^;]*)\n\)([^;]*)$`)
	createIndex = regexp.MustCompile(`^CREATE INDEX (\w+) ON (\w+) \(([\w, ]+)\)$`)
	primaryKey  = regexp.MustCompile(`^PRIMARY KEY \(([\w, ]+)\)$`)
	column      = regexp.MustCompile(`^(\w+) ([a-z]+(?:\(\d+\))?)(?: CHARACTER SET \w+)?(?: COLLATE "?(\w+)"?)?( NOT NULL)?$`)
	collate     = regexp.MustCompile(`COLLATE (\w+)`)
	rename      = regexp.MustCompile(`(\w+) (?:RENAME )?TO (\w+)`)
)

func (m *Migration) read(text, dialect string) error {
	_, text, _ = strings.Cut(text, "-- +goose Up")
	up, down, found := strings.Cut(text, "-- +goose Down")
	if !found {
		return fmt.Errorf("it has no Up and Down")
	}
	for statement := range strings.SplitSeq(comments.ReplaceAllString(up, ""), ";") {
		statement = strings.TrimSpace(statement)
		if statement == "" {
			continue
		}
		if made := createTable.FindStringSubmatch(statement); made != nil {
			t, err := readTable(made[1], made[2], made[3], dialect)
			if err != nil {
				return err
			}
			m.Tables = append(m.Tables, t)
			continue
		}
		made := createIndex.FindStringSubmatch(statement)
		if made == nil {
			return fmt.Errorf("can't read %q", statement)
		}
		at := slices.IndexFunc(m.Tables, func(t Table) bool { return t.Name == made[2] })
		if at < 0 {
			return fmt.Errorf("index %s is on no table of its file", made[1])
		}
		m.Tables[at].Indexes = append(m.Tables[at].Indexes, Index{Name: made[1], Columns: strings.Split(made[3], ", ")})
	}
	for _, r := range rename.FindAllStringSubmatch(comments.ReplaceAllString(down, ""), -1) {
		m.Aside = append(m.Aside, Rename{r[1], r[2]})
	}
	return nil
}

func readTable(name, lines, options, dialect string) (Table, error) {
	t := Table{Name: name}
	collation := ""
	if c := collate.FindStringSubmatch(options); c != nil {
		collation = c[1]
	}
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ",")
		if key := primaryKey.FindStringSubmatch(line); key != nil {
			t.Key = strings.Split(key[1], ", ")
			continue
		}
		c := column.FindStringSubmatch(line)
		if c == nil {
			return t, fmt.Errorf("can't read %q of table %s", line, name)
		}
		made := Column{Name: c[1], Type: plainType(c[2], dialect), Collation: c[3], NotNull: c[4] != ""}
		if made.Collation == "" && (strings.Contains(made.Type, "text") || strings.HasPrefix(made.Type, "char") || strings.HasPrefix(made.Type, "varchar")) {
			made.Collation = collation
		}
		t.Columns = append(t.Columns, made)
	}
	return t, nil
}

var displayWidth = regexp.MustCompile(`^((?:tiny|small|medium|big)?int)\(\d+\)`)

// plainType writes a type in one way: that of the migrations and those in which
// versions of a database print it.
func plainType(t, dialect string) string {
	t = strings.ToLower(t)
	switch dialect {
	case mysql:
		if t == "boolean" {
			t = "tinyint"
		}
		t = displayWidth.ReplaceAllString(t, "$1")
	case postgres:
		if rest, ok := strings.CutPrefix(t, "timestamptz"); ok {
			t = "timestamp" + rest + " with time zone"
		}
	}
	return t
}

// At returns the tables that stand at a version.
func At(all []Migration, version int64) (tables []Table) {
	for _, m := range all {
		if m.Version <= version {
			tables = append(tables, m.Tables...)
		}
	}
	return tables
}
