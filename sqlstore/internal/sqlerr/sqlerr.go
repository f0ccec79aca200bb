// Package sqlerr knows what databases say went wrong. No driver is imported: each is
// asked by what its errors show, a method or their text.
package sqlerr

import (
	"errors"
	"strconv"
	"strings"
)

// SQLState returns the code of an error of PostgreSQL, "" if it is none.
func SQLState(err error) string {
	var pg interface{ SQLState() string } // of pgx and pq
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.SQLState()
}

// MySQL reports whether an error is one of these numbers of MySQL's.
func MySQL(err error, numbers ...int) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		digits, found := strings.CutPrefix(err.Error(), "Error ") // "Error 1213 (40001): Deadlock found"
		if !found {
			continue
		}
		for _, n := range numbers {
			if rest, ok := strings.CutPrefix(digits, strconv.Itoa(n)); ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ":")) {
				return true
			}
		}
	}
	return false
}

// SQLiteBusy reports whether another connection to a file of SQLite is in the way.
func SQLiteBusy(err error) bool {
	const busy, locked = 5, 6
	var coded interface{ Code() int } // of modernc.org/sqlite, with the cause in higher bits
	if errors.As(err, &coded) {
		code := coded.Code() & 0xff
		return code == busy || code == locked
	}
	if err == nil {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "database is locked") || strings.Contains(text, "database table is locked")
}

// NoTable reports whether a statement names a table that is not there, on any of the
// databases.
func NoTable(err error) bool {
	return err != nil && (SQLState(err) == "42P01" || MySQL(err, 1146) || strings.Contains(err.Error(), "no such table: "))
}
