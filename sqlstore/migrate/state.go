package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/schema"
)

// state is how a database is.
type state struct {
	tables   map[string]*schema.Table // those of this module, aside ones and Table too
	versions []int64                  // that Table has, if it is there
	version  int64                    // the last of them
}

// look reads how a database is.
func (m *migrator) look(ctx context.Context, q schema.Queryer) (now state, err error) {
	names := []string{Table}
	for _, one := range m.migrations {
		for _, t := range one.Tables {
			names = append(names, t.Name)
		}
		for _, r := range one.Aside {
			names = append(names, r.To)
		}
	}
	now.tables, err = schema.Tables(ctx, q, string(m.dialect), names...)
	if err == nil && now.tables[Table] != nil {
		now.versions, err = schema.Versions(ctx, q, Table)
	}
	if err != nil {
		return now, fmt.Errorf("migrate: reading the schema: %w", err)
	}
	if len(now.versions) > 0 {
		now.version = slices.Max(now.versions)
	}
	return now, nil
}

// refused is an error that says why.
func refused(kind error, why ...string) error {
	return fmt.Errorf("%w: %s", kind, strings.Join(why, "; "))
}

// judge returns why a database can't be migrated, nil if it can.
func (m *migrator) judge(now state) error {
	if now.version > m.latest() {
		return refused(ErrTooNew, fmt.Sprintf("%s says version %d, and this program knows up to %d: run a later one", Table, now.version, m.latest()))
	}
	if err := m.gaps(now); err != nil {
		return err
	}
	var there, missing []string
	for _, t := range schema.At(m.migrations, m.latest()) {
		switch {
		case now.tables[t.Name] != nil:
			there = append(there, t.Name)
		default:
			missing = append(missing, t.Name)
		}
	}
	switch wrong := schema.Compare(schema.At(m.migrations, now.version), now.tables); {
	case now.version > 0 && len(there) == 0:
		return m.gone(now)
	case len(wrong) > 0:
		return refused(ErrSchema, append(wrong, "mend that by hand, or restore a backup")...)
	}
	return m.unnoted(now, missing)
}

// gaps looks whether each version was noted once, in their order, as goose takes them.
// That of 0 stands for the table.
func (m *migrator) gaps(now state) error {
	for i, v := range now.versions {
		if v != int64(i) {
			return refused(ErrSchema, fmt.Sprintf("the rows of %s, by id, have to be the versions 0, 1, 2 and so on, and are %v: restore them, or a backup", Table, now.versions))
		}
	}
	return nil
}

// gone says that versions are noted and no table is there.
func (m *migrator) gone(now state) error {
	why := []string{fmt.Sprintf("%s says version %d, and none of the tables is there", Table, now.version)}
	if m.aside(now) != nil {
		why = append(why, fmt.Sprintf("a Down was cut off when it had renamed them: finish it by DELETE FROM %s WHERE version_id = %d", Table, now.version))
	} else {
		why = append(why, "if they are not to come back from a backup, DROP TABLE "+Table)
	}
	return refused(ErrSchema, why...)
}

// unnoted says that tables are there of a version that is not noted.
func (m *migrator) unnoted(now state, missing []string) error {
	var early []string
	for _, one := range m.migrations[now.version:] {
		for _, t := range one.Tables {
			if now.tables[t.Name] != nil {
				early = append(early, t.Name)
			}
		}
	}
	if len(early) == 0 {
		return nil
	}
	says := Table + " is missing"
	if now.tables[Table] != nil {
		says = fmt.Sprintf("%s says version %d", Table, now.version)
	}
	wrong := schema.Compare(schema.At(m.migrations, m.latest()), now.tables)
	if len(wrong) == 0 {
		return refused(ErrSchema, fmt.Sprintf("%s, and the tables of version %d are there: if another tool has made them, or Up was cut off at its end, call migrate.Adopt", says, m.latest()))
	}
	if len(missing) > 0 {
		wrong = []string{fmt.Sprintf("%s, and %s there while %s missing", says, are(early), are(missing))}
	} else {
		wrong = append([]string{fmt.Sprintf("%s, and %s there", says, are(early))}, wrong...)
	}
	remedy := "if they hold nothing to keep, DROP TABLE " + strings.Join(early, ", ") + " and migrate again"
	if m.dialect == sqlstore.MySQL {
		remedy = "an Up that was cut off leaves that: " + remedy
	}
	if m.dialect == sqlstore.SQLite {
		remedy = strings.ReplaceAll(remedy, "DROP TABLE "+strings.Join(early, ", "), "DROP TABLE "+strings.Join(early, "; DROP TABLE "))
	}
	return refused(ErrSchema, append(wrong, remedy)...)
}

func are(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// aside returns an error if a table stands where the last migration's Down would
// rename one to.
func (m *migrator) aside(now state) error {
	var stand []string
	for _, r := range m.migrations[now.version-1].Aside {
		if now.tables[r.To] != nil {
			stand = append(stand, r.To)
		}
	}
	if len(stand) == 0 {
		return nil
	}
	slices.Sort(stand)
	return refused(ErrAside, are(stand)+" there: look whether they hold something to keep, drop them, and come again")
}
