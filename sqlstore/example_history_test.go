package sqlstore_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
	_ "modernc.org/sqlite"
)

// exampleSecret is made up for each run. An app's comes from where its secrets are kept.
var exampleSecret = []byte(rand.Text() + rand.Text())

// Live sessions in a fast store, their history in SQL.
func Example_history() {
	db, remove := exampleDatabase()
	defer remove()
	history, err := sqlstore.NewHistory(db, sqlstore.SQLite, sqlstore.HistoryOptions{})
	if err != nil {
		log.Panic(err)
	}
	auth, err := core.New(core.Config{
		Store: history.Wrap(memstore.New()), // redisstore.New(client, …)
		Keys:  []core.Key{{Secret: exampleSecret}},
		Audit: history.Audit(nil), // or a sink of the app's that is told as well
	})
	if err != nil {
		log.Panic(err)
	}
	ctx := context.Background()
	pair, err := auth.SignIn(ctx, core.SignInRequest{
		Identity: core.Identity{UserID: "alice"},
		Client:   core.Client{IP: "192.0.2.7"},
	})
	if err != nil {
		log.Panic(err)
	}
	if _, err := auth.SignOut(ctx, pair.RefreshToken); err != nil {
		log.Panic(err)
	}

	auth.Close()
	last, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := history.Close(last); err != nil { // says how many records were not written
		log.Panic(err)
	}
	var user, ip, reason string
	db.QueryRow("SELECT user_id, ip_address, end_reason FROM user_sessions").Scan(&user, &ip, &reason)
	fmt.Println(user, ip, reason)
	var events int
	db.QueryRow("SELECT count(*) FROM user_session_events WHERE user_id = 'alice'").Scan(&events)
	fmt.Println(events, "events")

	// Output:
	// alice 192.0.2.7 signed_out
	// 2 events
}

// exampleDatabase is a new database of SQLite that has the tables.
func exampleDatabase() (db *sql.DB, remove func()) {
	folder, err := os.MkdirTemp("", "sallyport")
	if err != nil {
		log.Panic(err)
	}
	db, err = sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(folder, "history.db"))+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		log.Panic(err)
	}
	text, err := fs.ReadFile(sqlstore.Migrations, "migrations/sqlite/00001_user_sessions.sql")
	if err != nil {
		log.Panic(err)
	}
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	if _, err := db.Exec(up); err != nil {
		log.Panic(err)
	}
	return db, func() {
		db.Close()
		os.RemoveAll(folder)
	}
}
