// Package sqlstore keeps ledgers and the feed of revocations in a database of the
// app's: SQLite, MySQL or MariaDB, PostgreSQL. Several processes on one database are
// one system. What has ended stays as history until it is purged, and can be asked for
// in plain SQL.
//
// It uses database/sql alone: the driver is the app's. The tables are made by
// [Migrations], which package migrate applies.
//
// # Tables
//
//	user_sessions          a row for each session; one that goes on has no ended_at
//	user_session_ledgers   a row for each user: the version of all that is known
//	user_session_devices   the devices on which a user has signed in
//	user_session_feed      revocations that may still matter
//	user_session_buckets   where each of the 16 buckets of the feed ends
//	user_session_events    what was audited, if a History or the app writes it
//
// User ids and all other ids are compared as bytes: "bob", "Bob" and "bob " are three
// users. In MySQL user_id is VARBINARY, which takes care of that in every version; a
// client may show it as hexadecimal digits. Session ids are as in the API. Times are
// UTC, to the millisecond: timestamptz in PostgreSQL, DATETIME in MySQL, and in SQLite
// text such as 2026-11-22 10:00:00.000, which its functions read. A time that is not
// set is NULL, and one after the year 9999 is stored as its end. Lists are JSON. No
// column holds a token, raw or hashed.
//
// A table may be read by anybody at any time. Rows that are written by others than this
// package have to keep version and rows together, or sessions come back.
//
// # How a change is made
//
// A change is one transaction. Its first statement moves the version of the user's
// ledger, if it is still the one that was decided on; then come sessions and devices,
// and last the row of the user's bucket, from which revocations take their position.
// That row stays locked until the commit, so that positions become visible in their
// order: who has read up to one has missed nothing, which a sequence could not promise.
// Each published change names the one before it, so that a reader sees that a database
// was restored, though its positions have been given again.
//
// A ledger is read in one statement, as of one moment.
//
// # Live sessions elsewhere
//
// A [History] keeps rows of user_sessions and user_session_events for a live store such
// as one in Redis, and does not decide with them.
//
// # What it asks of the database
//
// Commits that are on the disk when they return; clocks that agree; that it is the
// primary, and no replica that lags. [Store.Check] says which of this is not so.
// A revocation reaches other processes by polling, ten times a second.
package sqlstore
