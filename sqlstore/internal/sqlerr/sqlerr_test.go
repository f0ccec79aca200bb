package sqlerr

import (
	"errors"
	"fmt"
	"testing"
)

type state string

func (s state) Error() string    { return "ERROR: (SQLSTATE " + string(s) + ")" }
func (s state) SQLState() string { return string(s) }

type code int

func (c code) Error() string { return "no text" }
func (c code) Code() int     { return int(c) }

func TestNoTable(t *testing.T) {
	for err, want := range map[error]bool{
		nil:            false,
		state("42P01"): true,
		state("42703"): false,
		fmt.Errorf("reading: %w", state("42P01")):                               true,
		errors.New("Error 1146 (42S02): Table 'a.user_sessions' doesn't exist"): true,
		errors.New("Error 11460: no"):                                           false,
		errors.New("SQL logic error: no such table: user_sessions (1)"):         true,
		errors.New("no such column: a"):                                         false,
	} {
		if got := NoTable(err); got != want {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestSQLiteBusy(t *testing.T) {
	for err, want := range map[error]bool{
		nil:                                    false,
		code(5):                                true,
		code(5 | 2<<8):                         true, // BUSY_SNAPSHOT
		code(6):                                true,
		code(1):                                false,
		errors.New("database is locked"):       true,
		errors.New("database table is locked"): true,
		errors.New("disk I/O error"):           false,
	} {
		if got := SQLiteBusy(err); got != want {
			t.Errorf("%v: got %v", err, got)
		}
	}
}

func TestMySQL(t *testing.T) {
	err := fmt.Errorf("committing: %w", errors.New("Error 1213 (40001): Deadlock found"))
	if !MySQL(err, 1, 1213) || MySQL(err, 121, 12130) || MySQL(nil, 1213) || MySQL(errors.New("no Error 1213: here"), 1213) {
		t.Error("a number is taken for another, or not seen")
	}
}
