package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/migrate"
)

// An app migrates when it starts. An operator may go back: what the tables held
// stands aside, until it is dropped by hand.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "app.db"))+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()

	if err := migrate.Up(ctx, db, sqlstore.SQLite); err != nil {
		log.Fatal(err)
	}
	at, err := migrate.Status(ctx, db, sqlstore.SQLite)
	fmt.Printf("version %d of %d, %v\n", at.Database, at.Latest, err)

	fmt.Println(migrate.Down(ctx, db, sqlstore.SQLite))
	fmt.Println(migrate.Up(ctx, db, sqlstore.SQLite))
	fmt.Println(errors.Is(migrate.Down(ctx, db, sqlstore.SQLite), migrate.ErrAside))
	// Output:
	// version 1 of 1, <nil>
	// <nil>
	// <nil>
	// true
}
