// Package core signs users in and keeps their sessions: access tokens that can
// be taken back, refresh tokens that can't be used twice, many devices a user.
// It knows no framework and no database.
//
// [New] makes an [Auth] from a [Config]. Its methods are what an app calls;
// [Auth.Routes] and [Auth.Guard] are what an adapter such as nethttpauth mounts.
//
// All that is known of a user is one value, the [Ledger]. Every decision is a
// pure function of it, in the files rule_*.go; a [Store] only loads ledgers and
// commits changes, and a feed in it tells every process what was revoked.
package core
