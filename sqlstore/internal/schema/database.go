package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Queryer is a *sql.DB, a *sql.Conn or a *sql.Tx.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each query says table, column, type, collation, that it is NOT NULL, and that an
// INSERT may leave it out; %s are the names of tables. They are looked for where
// a statement finds them that names no schema.
var columnQueries = map[string]string{
	sqlite: `SELECT m.name, x.name, x.type, '', x."notnull", x.dflt_value IS NOT NULL OR x.hidden > 0
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x WHERE m.type = 'table' AND m.name IN (%s) ORDER BY m.name, x.cid`,
	mysql: `SELECT table_name, column_name, column_type, COALESCE(collation_name, ''), is_nullable = 'NO',
column_default IS NOT NULL OR extra LIKE '%%auto_increment%%' OR extra LIKE '%%GENERATED%%'
FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name IN (%s) ORDER BY table_name, ordinal_position`,
	postgres: `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), COALESCE(l.collname::text, ''), a.attnotnull,
a.atthasdef OR a.attidentity <> ''
FROM unnest(ARRAY[%s]) AS w(name) JOIN pg_class c ON c.oid = to_regclass(w.name)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation l ON l.oid = a.attcollation ORDER BY c.relname, a.attnum`,
}

// Each query says table, index, that it is the primary key, that it is unique, and
// its columns in their order, a row each. What covers a part of the rows alone is
// left out, unless it is unique.
var indexQueries = map[string]string{
	// A key that is the row's number has no index.
	sqlite: `SELECT m.name AS a, l.name AS b, l.origin = 'pk', l."unique", COALESCE(x.name, '?') || CASE x.coll WHEN 'BINARY' THEN '' ELSE ' COLLATE ' || x.coll END, x.seqno AS n
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_xinfo(l.name) AS x
WHERE m.type = 'table' AND m.name IN (%[1]s) AND x.key AND (l."unique" OR NOT l.partial)
UNION ALL SELECT m.name, '', 1, 1, x.name, x.pk FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x
WHERE m.type = 'table' AND m.name IN (%[1]s) AND x.pk > 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name) AS l WHERE l.origin = 'pk')
ORDER BY a, b, n`,
	mysql: `SELECT table_name, index_name, index_name = 'PRIMARY', non_unique = 0,
CONCAT(COALESCE(column_name, '?'), COALESCE(CONCAT('(', sub_part, ')'), '')), seq_in_index
FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name IN (%[1]s) ORDER BY table_name, index_name, seq_in_index`,
	postgres: `SELECT t.relname::text, x.relname::text, i.indisprimary, i.indisunique, COALESCE(a.attname::text, '?'), k.n
FROM unnest(ARRAY[%[1]s]) AS w(name) JOIN pg_class t ON t.oid = to_regclass(w.name)
JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) AS k(n)
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[k.n - 1]
WHERE i.indisunique OR i.indisvalid AND i.indpred IS NULL ORDER BY t.relname, x.relname, k.n`,
}

// Tables returns those tables of a database that have one of these names.
func Tables(ctx context.Context, q Queryer, dialect string, names ...string) (map[string]*Table, error) {
	quoted := "'" + strings.Join(names, "', '") + "'"
	found := make(map[string]*Table, len(names))
	err := each(ctx, q, fmt.Sprintf(columnQueries[dialect], quoted), func(rows *sql.Rows) error {
		var name string
		var c Column
		if err := rows.Scan(&name, &c.Name, &c.Type, &c.Collation, &c.NotNull, &c.Default); err != nil {
			return err
		}
		if found[name] == nil {
			found[name] = &Table{Name: name}
		}
		c.Type = plainType(c.Type, dialect)
		found[name].Columns = append(found[name].Columns, c)
		return nil
	})
	if err != nil || len(found) == 0 {
		return found, err
	}
	err = each(ctx, q, fmt.Sprintf(indexQueries[dialect], quoted), func(rows *sql.Rows) error {
		var name, index, column string
		var key, unique bool
		var n int
		if err := rows.Scan(&name, &index, &key, &unique, &column, &n); err != nil {
			return err
		}
		t := found[name]
		switch {
		case t == nil: // it came in between
		case key:
			t.Key = append(t.Key, column)
		case len(t.Indexes) == 0 || t.Indexes[len(t.Indexes)-1].Name != index:
			t.Indexes = append(t.Indexes, Index{index, []string{column}, unique})
		default:
			last := &t.Indexes[len(t.Indexes)-1]
			last.Columns = append(last.Columns, column)
		}
		return nil
	})
	return found, err
}

// each calls f for each row of a query.
func each(ctx context.Context, q Queryer, query string, f func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Versions returns the versions that a table of goose's names, in the order of its
// rows. 0 stands for the table itself.
func Versions(ctx context.Context, q Queryer, table string) (versions []int64, err error) {
	err = each(ctx, q, "SELECT version_id FROM "+table+" ORDER BY id", func(rows *sql.Rows) error {
		var v int64
		err := rows.Scan(&v)
		versions = append(versions, v)
		return err
	})
	return versions, err
}
