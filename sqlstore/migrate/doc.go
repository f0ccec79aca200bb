// Package migrate makes and changes the tables of sqlstore. An app calls [Up] when it
// starts, before it makes its store:
//
//	db, err := sql.Open("pgx", dsn)
//	...
//	err = migrate.Up(ctx, db, sqlstore.PostgreSQL)
//	...
//	store, err := sqlstore.New(db, sqlstore.PostgreSQL, sqlstore.Options{})
//
// Any number of processes may do so at once. Who finds nothing to do takes no lock;
// the others wait for each other, each until its context is done. A process that dies
// lets go: in SQLite and PostgreSQL it has held a transaction, of which nothing stays,
// and in MySQL a lock of its connection. One connection is enough. Nothing is printed.
//
// What was applied stands in the table [Table], which has the form of goose. The app's
// own migrations, with goose or not, are in nobody's way.
//
// # What is refused
//
// Up looks at the tables before it changes any: [ErrTooNew] says that a later version
// of the program was here, [ErrSchema] that tables, columns, indexes or the noted
// versions are not what the migrations make, and which. Columns and indexes that an app
// has added are fine, if an INSERT may leave the columns out.
//
// In MySQL a CREATE TABLE can't be undone. An Up that was cut off, by a crash or
// because the user may not create indexes, leaves the tables that it had made. The next
// one does not go on by itself: it says which these are, and what to drop.
//
// # Other tools
//
// The goose command takes the files, as sqlstore.MigrationsFor has them, with this
// table. It takes no lock, and looks at nothing:
//
//	goose -dir sqlstore/migrations/postgres -table user_session_schema postgres "$DSN" up
//
// For others, the part of a file between "+goose Up" and "+goose Down" is plain SQL,
// a statement up to each semicolon. sqlstore.CheckSchema says whether it has all
// arrived. Who changes to this package later calls [Adopt] once.
package migrate
