package memstore

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/sallyport-go/sallyport/core"
)

func TestKeysAreNotPiecesOfRequests(t *testing.T) {
	sh := shard{users: map[string]*record{}, due: never}
	request := "GET /users/bob HTTP/1.1"
	for range 2 {
		sh.put(request[11:14], newRecord(core.Ledger{}, never))
		for user := range sh.users {
			if user != "bob" || unsafe.StringData(user) == unsafe.StringData(request[11:14]) {
				t.Errorf("got the key %q, want one with memory of its own", user)
			}
		}
	}
	var f feed
	f.init(1)
	jti := request[5:10]
	if err := f.append(&core.Change{Publish: []core.Revocation{{JTI: jti}}}); err != nil {
		t.Fatal(err)
	}
	if got := f.chunks[0].entries[0].revocation().JTI; got != jti || unsafe.StringData(got) == unsafe.StringData(jti) {
		t.Errorf("got the JTI %q, want one with memory of its own", got)
	}
}

func TestRecordIsReplacedNotChanged(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var l core.Ledger
	for i := range 6 { // of which the even ones are over
		expires := start.Add(time.Duration(i%2) * time.Hour)
		l.Sessions = append(l.Sessions, core.Session{ID: core.ID{byte(i)}, ExpiresAt: expires})
	}
	ids := func(r *record) []byte {
		var list []byte
		for _, s := range r.ledger.Sessions {
			list = append(list, s.ID[0])
		}
		return list
	}
	r := newRecord(l, start.Add(2*time.Hour))
	for limit, want := range [][]byte{{0, 1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {1, 3, 4, 5}, {1, 3, 5}, {1, 3, 5}} {
		left, n := r.without(start.Add(1), limit)
		if !slices.Equal(ids(left), want) || n != min(limit, 3) {
			t.Errorf("limit %d: got sessions %v and %d removed, want %v", limit, ids(left), n, want)
		}
		wantDue := start
		if n == 3 {
			wantDue = start.Add(time.Hour)
		}
		if !left.due.Equal(wantDue) {
			t.Errorf("limit %d: got due %v, want %v", limit, left.due, wantDue)
		}
		if got := ids(r); !slices.Equal(got, []byte{0, 1, 2, 3, 4, 5}) {
			t.Fatalf("limit %d: got the sessions %v left of the record itself, want all", limit, got)
		}
	}
}
