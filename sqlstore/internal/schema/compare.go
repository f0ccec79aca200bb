package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Compare returns what keeps tables from being used as those that are wanted, a
// phrase each. More columns are fine, if an INSERT may leave them out, and so are more
// indexes.
func Compare(want []Table, got map[string]*Table) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, w := range want {
		g := got[w.Name]
		if g == nil {
			say("there is no table %s", w.Name)
			continue
		}
		compareColumns(say, w, g)
		if !slices.Equal(g.Key, w.Key) {
			say("the primary key of %s is (%s) and not (%s)", w.Name, strings.Join(g.Key, ", "), strings.Join(w.Key, ", "))
		}
		for _, index := range w.Indexes {
			at := slices.IndexFunc(g.Indexes, func(i Index) bool { return i.Name == index.Name })
			switch {
			case at < 0:
				say("%s has no index %s (%s)", w.Name, index.Name, strings.Join(index.Columns, ", "))
			case !slices.Equal(g.Indexes[at].Columns, index.Columns):
				say("the index %s of %s has (%s) and not (%s)", index.Name, w.Name, strings.Join(g.Indexes[at].Columns, ", "), strings.Join(index.Columns, ", "))
			case g.Indexes[at].Unique:
				say("the index %s of %s is UNIQUE", index.Name, w.Name)
			}
		}
	}
	return wrong
}

func compareColumns(say func(string, ...any), w Table, g *Table) {
	for _, c := range w.Columns {
		at := slices.IndexFunc(g.Columns, func(o Column) bool { return o.Name == c.Name })
		if at < 0 {
			say("%s has no column %s", w.Name, c.Name)
			continue
		}
		o := g.Columns[at]
		switch {
		case o.Type != c.Type:
			say("the column %s of %s is %s and not %s", c.Name, w.Name, o.Type, c.Type)
		case !sameCollation(o.Collation, c.Collation):
			say("the column %s of %s has the collation %s and not %s", c.Name, w.Name, o.Collation, c.Collation)
		case o.NotNull && !c.NotNull:
			say("the column %s of %s is NOT NULL", c.Name, w.Name)
		case !o.NotNull && c.NotNull:
			say("the column %s of %s is not NOT NULL", c.Name, w.Name)
		}
	}
	for _, o := range g.Columns {
		ours := slices.ContainsFunc(w.Columns, func(c Column) bool { return o.Name == c.Name })
		if !ours && o.NotNull && !o.Default {
			say("the column %s of %s, which is not ours, is NOT NULL without a default, so that inserts fail", o.Name, w.Name)
		}
	}
}

// sameCollation: all that compare the bytes of utf8mb4 will do for text that is no id.
func sameCollation(got, want string) bool {
	switch want {
	case "", got:
		return true
	case "C":
		return got == "POSIX"
	case "utf8mb4_bin":
		return strings.HasPrefix(got, "utf8mb4_") && strings.HasSuffix(got, "_bin")
	}
	return false
}
