// Package sqltest gives tests real databases: new files of SQLite, databases of their
// own on the MariaDB and the PostgreSQL of this machine, and servers of those two that
// a test may kill and freeze, with a proxy to break the link.
//
// What is made or started ends with its test. Functions that take a testing.TB fail
// the test where something does not do as it is told, and are called from its
// goroutine.
package sqltest

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// patience is how long a server may take to start or to answer.
const patience = 30 * time.Second

// missing skips the test, and fails it in CI, for want of something.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// eventually asks until there is no error, or ctx or patience is over.
func eventually(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // who was asked last can't be blamed for the end
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(last, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
