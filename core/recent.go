package core

import (
	"strings"

	"github.com/maypok86/otter/v2"
)

// recent holds the ledgers that this process saw last, as they were then: a change
// that is decided on one of them needs no load, since the store takes it only if
// nothing has changed. Nothing else may be decided on one: see transact.
type recent struct {
	ledgers *otter.Cache[string, Ledger] // nil: none
}

// newRecent returns a cache of about that many bytes.
func newRecent(bytes int) recent {
	if bytes < 0 {
		return recent{}
	}
	return recent{otter.Must(&otter.Options[string, Ledger]{
		MaximumWeight: uint64(bytes),
		Weigher: func(user string, l Ledger) uint32 {
			size := 256 + len(user) + 300*len(l.Devices) + 100*len(l.Foreign) + 1200*len(l.Pending)
			for i := range l.Sessions {
				s := &l.Sessions[i]
				size += 900 + len(s.UserAgent) + len(s.Claims)
			}
			return uint32(size)
		},
	})}
}

func (r recent) get(user string) (Ledger, bool) {
	if r.ledgers == nil {
		return Ledger{}, false
	}
	return r.ledgers.GetIfPresent(user)
}

// put keeps a ledger, which shares no memory with what others may write to.
func (r recent) put(user string, l Ledger) {
	if r.ledgers != nil {
		r.ledgers.Set(strings.Clone(user), l)
	}
}

// offer is put unless there is one, which may be newer.
func (r recent) offer(user string, l Ledger) {
	if r.ledgers != nil {
		r.ledgers.SetIfAbsent(strings.Clone(user), l)
	}
}

func (r recent) drop(user string) {
	if r.ledgers != nil {
		r.ledgers.Invalidate(user)
	}
}
