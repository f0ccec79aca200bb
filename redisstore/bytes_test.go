package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// A session takes at most 600 bytes of a server's memory, the user's key, its
// expiry and the known device included, and a revocation at most 160: by what the
// server uses more with 20,000 of them.
func TestBytes(t *testing.T) {
	client := redistest.Start(t).Client(t)
	s := openAt(t, client, redisstore.Options{})
	if _, err := s.Tail(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	used := func() float64 {
		info, err := client.InfoMap(t.Context(), "memory").Result()
		if err != nil {
			t.Fatal(err)
		}
		var n float64
		if _, err := fmt.Sscan(info["Memory"]["used_memory"], &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const n = 20_000
	now := time.Now().UTC().Truncate(time.Millisecond)
	before := used()
	for i := range n {
		device := core.Device{ID: newID().String(), Signed: true, Name: "Anna's laptop", Type: "desktop", ClientType: "web", Browser: "Firefox 140", OS: "Linux"}
		c := core.Change{
			ID: newID(), At: now, KeepUntil: now.Add(time.Hour),
			Put: []core.Session{{
				ID: newID(), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(time.Hour), RefreshExpiresAt: now.Add(time.Hour), AbsoluteExpiresAt: now.Add(time.Hour),
				Gen: 3, Serial: 3, MovedAt: now, SeenAt: now, Access: core.AccessRecord{JTI: newID(), IssuedAt: now, ExpiresAt: now, Until: now},
				Device: device, IP: "203.0.113.77", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
				AuthTime: now, AMR: []string{"pwd"}, Scopes: []string{"orders:read", "orders:write"}, Roles: []string{"customer"},
			}},
		}
		if _, err := s.Commit(t.Context(), fmt.Sprintf("user-%06d", i), c); err != nil {
			t.Fatal(err)
		}
	}
	session := (used() - before) / n
	before = used()
	for i := range n {
		user := fmt.Sprintf("user-%06d", i)
		c := core.Change{ID: newID(), At: now, Forget: true, Publish: []core.Revocation{{Session: newID(), MinSerial: core.AllSerials, Until: now.Add(time.Hour)}}}
		if i >= n/100 { // most stay, so that it is the feed which grows
			user = fmt.Sprintf("nobody-%06d", i)
		}
		if l, err := s.Load(t.Context(), user); err != nil {
			t.Fatal(err)
		} else {
			c.If = l.Version
		}
		if _, err := s.Commit(t.Context(), user, c); err != nil {
			t.Fatal(err)
		}
	}
	revocation := (used() - before) / n
	t.Logf("%.0f bytes a session, %.0f a revocation", session, revocation)
	if session > 600 || revocation > 160 {
		t.Errorf("got %.0f bytes a session and %.0f a revocation, want at most 600 and 160", session, revocation)
	}
}
