package core

import (
	"encoding/binary"
	"hash/maphash"
	"math"
)

// packedSet holds revocations by a key of 16 bytes, a session or a jtiKey. There may
// be a million of them, so they are packed, one behind the other, and found by an
// index of positions. It is not safe for concurrent use.
//
// A record is the key, when it is over (a minute, 4 bytes), the serial below which it
// revokes (4 bytes), the lengths of two texts (1 byte each) and these.
type packedSet struct {
	records []byte
	index   []uint32 // positions in records plus 1, by hash; 0: free. A power of two.
	count   int
	seed    maphash.Seed
}

// packed is one record. The texts are valid until the set changes.
type packed struct {
	key   [16]byte
	until minute
	below uint32
	user  []byte
	more  []byte // of a token: its session
}

const packedHead = 16 + 4 + 4 + 1 + 1

func newPackedSet() *packedSet { return &packedSet{seed: maphash.MakeSeed()} }

// full reports whether positions may run out.
func (s *packedSet) full() bool { return len(s.records) > math.MaxUint32-1024 }

// find returns the position of a key's record, or -1.
func (s *packedSet) find(key *[16]byte) int {
	if len(s.index) == 0 {
		return -1
	}
	return int(s.index[s.slot(key)]) - 1
}

// slot returns where in the index a key is, or the free place where it belongs.
func (s *packedSet) slot(key *[16]byte) int {
	mask := len(s.index) - 1
	for i := int(maphash.Bytes(s.seed, key[:])) & mask; ; i = (i + 1) & mask {
		at := s.index[i]
		if at == 0 || [16]byte(s.records[at-1:][:16]) == *key {
			return i
		}
	}
}

// at reads the record at a position.
func (s *packedSet) at(at int) packed {
	r := s.records[at:]
	user, more := int(r[24]), int(r[25])
	texts := r[packedHead : packedHead+user+more]
	return packed{
		key:   [16]byte(r[:16]),
		until: minute(binary.LittleEndian.Uint32(r[16:])),
		below: binary.LittleEndian.Uint32(r[20:]),
		user:  texts[:user:user],
		more:  texts[user:],
	}
}

// get returns a key's record.
func (s *packedSet) get(key [16]byte) (packed, bool) {
	at := s.find(&key)
	if at < 0 {
		return packed{}, false
	}
	return s.at(at), true
}

// put adds a record or replaces what its key had. A record that names no user keeps
// the one that is known.
func (s *packedSet) put(p packed) {
	if at := s.find(&p.key); at >= 0 {
		old := s.at(at)
		if len(p.user) == 0 {
			p.user = old.user
		}
		if len(p.more) == 0 {
			p.more = old.more
		}
		if len(p.user) == len(old.user) && len(p.more) == len(old.more) {
			s.write(s.records[at:at:at+packedHead+len(p.user)+len(p.more)], p)
			return
		}
	} else {
		s.count++
	}
	if 4*s.count > 3*len(s.index) {
		s.reindex(max(16, 2*len(s.index)))
	}
	slot, at := s.slot(&p.key), len(s.records)
	s.records = s.write(s.records, p)
	s.index[slot] = uint32(at) + 1
}

// write appends a record to b.
func (s *packedSet) write(b []byte, p packed) []byte {
	b = append(b, p.key[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(p.until))
	b = binary.LittleEndian.AppendUint32(b, p.below)
	b = append(b, byte(len(p.user)), byte(len(p.more)))
	b = append(b, p.user...)
	return append(b, p.more...)
}

func (s *packedSet) reindex(size int) {
	old := s.index
	s.index = make([]uint32, size)
	for _, at := range old {
		if at != 0 {
			key := [16]byte(s.records[at-1:])
			s.index[s.slot(&key)] = at
		}
	}
}

// scan reads the record at a position and returns that of the next. What was replaced is
// not current.
func (s *packedSet) scan(at int) (p packed, current bool, next int) {
	p = s.at(at)
	return p, s.find(&p.key) == at, at + packedHead + len(p.user) + len(p.more)
}

// all calls f with each record until it returns false.
func (s *packedSet) all(f func(packed) bool) {
	for _, at := range s.index {
		if at != 0 && !f(s.at(int(at-1))) {
			return
		}
	}
}

// purge removes what is over.
func (s *packedSet) purge(over minute) {
	left, size := 0, 0
	s.all(func(p packed) bool {
		if p.until > over {
			left++
			size += packedHead + len(p.user) + len(p.more)
		}
		return true
	})
	if size == len(s.records) {
		return
	}
	kept := packedSet{seed: s.seed, records: make([]byte, 0, size+size/8)}
	slots := 16
	for 4*left > 3*slots {
		slots *= 2
	}
	kept.index = make([]uint32, slots)
	s.all(func(p packed) bool {
		if p.until > over {
			kept.put(p)
		}
		return true
	})
	*s = kept
}
