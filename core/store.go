package core

import (
	"context"
	"errors"
	"time"
)

// Store keeps ledgers, one per user, and a feed of revocations. It is a
// compare-and-swap register per user: it never reads a clock and decides
// nothing. Package storetest proves a Store.
//
// User ids are 1-255 bytes of UTF-8 without control characters, compared as
// bytes: "bob", "Bob" and "bob " are three users. A Store is safe for
// concurrent use. It keeps no memory that a caller handed in and hands out none
// that it keeps. A method that can't answer before ctx is done returns an
// error; an error says nothing about whether a commit took place.
type Store interface {
	// Load returns the ledger of a user as of some moment during the call. Of
	// a user of whom nothing is kept it returns the zero Ledger and no error.
	Load(ctx context.Context, userID string) (Ledger, error)

	// Commit applies c to the ledger of a user and appends c.Publish to the
	// feed, both or neither, if the ledger's version is c.If. If it is c.ID,
	// the change was committed before and its reply was lost: Commit returns
	// nil and does nothing. (After a Forget the version is zero, so that one sent
	// again may be applied again or meet ErrConflict.) If it is anything else, Commit returns what stands
	// now and [ErrConflict]. The ledger means nothing unless the error is
	// ErrConflict.
	Commit(ctx context.Context, userID string, c Change) (Ledger, error)

	// Tail returns the revocations that were committed after a position of
	// the feed, those of one user in the order of their commits, each once. With none it waits,
	// up to wait, for the first. With the zero Cursor it returns at once with
	// every revocation that may still matter. What it returns is never cut short.
	//
	// A revocation is in the feed before its Commit returns. It is kept at
	// least until Sweep is called with a later time than its Until or, in a
	// store that is bounded and full, until a Commit with a later At.
	Tail(ctx context.Context, after Cursor, wait time.Duration) (Batch, error)
}

// Sweeper is a Store that has to be told what is over. Auth calls Sweep in the
// background.
type Sweeper interface {
	// Sweep removes what ended before a time: sessions by ExpiresAt, ledgers by
	// KeepUntil, revocations by Until. It changes no ledger's version, since
	// what it removes is dead already. It removes about limit things at most
	// and returns how many; fewer than limit means that nothing is left.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
}

// ManyLoader is a Store that loads several ledgers in fewer round trips than
// one each.
type ManyLoader interface {
	// LoadMany returns the ledgers of those users of whom something is kept.
	LoadMany(ctx context.Context, userIDs []string) (map[string]Ledger, error)
}

// Checker is a Store that can tell what is unsound about itself and what it stands
// on: settings, versions, clocks. [Auth.Check] returns it among its own findings.
// Subject is "store". now is this process's time, to be compared with a server's.
type Checker interface {
	Check(ctx context.Context, now time.Time) []Finding
}

// ErrConflict is returned by [Store.Commit] when the ledger has moved on.
var ErrConflict = errors.New("sallyport: the ledger has moved on")

// Cursor is a position in a store's feed. Only the store that made it can read
// it. The zero Cursor is before everything.
type Cursor string

// Batch is a stretch of the feed.
type Batch struct {
	Events []Revocation
	Next   Cursor // where to go on
	Epoch  Epoch
	// Reset says that revocations between the cursor and Events are missing,
	// because the store dropped them or was emptied, or that the cursor is not
	// of this feed. Events then are those of a zero cursor.
	Reset bool
}

// Epoch names one uninterrupted life of a feed. A store that was emptied begins
// another. Zero: the feed has not begun.
type Epoch struct {
	ID ID // of the first change committed in it
	// Began is the time (Change.At) of that change. The feed can't vouch for
	// tokens that were issued before.
	Began time.Time
}
