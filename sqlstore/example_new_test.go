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

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// Sessions in a file of SQLite, and what is known of one that has ended. An app makes
// the tables with package migrate; here the plain SQL of the migrations does.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.ToSlash(filepath.Join(dir, "sessions.db"))
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	text, err := fs.ReadFile(sqlstore.Migrations, "migrations/sqlite/00001_user_sessions.sql")
	if err != nil {
		log.Fatal(err)
	}
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	if _, err := db.Exec(up); err != nil {
		log.Fatal(err)
	}

	store, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	auth, err := core.New(core.Config{
		Store: store,
		Keys:  []core.Key{{Secret: secret}},
		Audit: func(context.Context, core.Event) {},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	ctx := context.Background()
	pair, err := auth.SignIn(ctx, core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
	if err != nil {
		log.Fatal(err)
	}
	if err := auth.Revoke(ctx, "alice", pair.Session.ID, core.ReasonRevokedByAdmin); err != nil {
		log.Fatal(err)
	}
	var reason string
	if err := db.QueryRow("SELECT end_reason FROM user_sessions WHERE user_id = 'alice'").Scan(&reason); err != nil {
		log.Fatal(err)
	}
	fmt.Println(reason)
	// Output: revoked_by_admin
}
