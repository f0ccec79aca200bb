package core

import (
	"sync"
	"time"
)

// sent are the revocations that this process has had the store publish, until its own
// reading of the feed brings them back. One that a read does not bring which began after
// its commit had returned was lost by the store since, as in a failover.
type sent struct {
	mu    sync.Mutex
	waits map[told]sending
}

type sending struct {
	below  uint32
	moment uint64 // when its commit returned; 0: it is under way
}

// send is called before revocations are committed.
func (s *sent) send(events []Revocation, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		if what, below := about(&events[i]); now.Before(events[i].Until) {
			s.waits[what] = sending{below: max(below, s.waits[what].below)}
		}
	}
}

// done is called afterwards, and told whether they were, and at which moment that was
// known.
func (s *sent) done(events []Revocation, committed bool, moment uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range events {
		what, _ := about(&events[i])
		if w, waits := s.waits[what]; waits && committed {
			w.moment = moment
			s.waits[what] = w
		} else {
			delete(s.waits, what)
		}
	}
}

// came is called with what the feed brings.
func (s *sent) came(events []Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits) == 0 {
		return
	}
	for i := range events {
		if what, below := about(&events[i]); s.waits[what].below <= below {
			delete(s.waits, what)
		}
	}
}

// lost reports whether something has not come with a read that began at a moment, and
// should have.
func (s *sent) lost(moment uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.waits {
		if w.moment != 0 && w.moment < moment {
			return true
		}
	}
	return false
}

// forget is called when what the store lacks is found out by other means.
func (s *sent) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.waits)
}
