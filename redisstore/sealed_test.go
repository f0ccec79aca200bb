package redisstore_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/core/storetest"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

func newSealer(t testing.TB) *sealed.Sealer {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	s, err := sealed.New(sealed.Key{ID: "2026-01", Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealed(t *testing.T) {
	client, sealer := redistest.Local(t), newSealer(t)
	storetest.Run(t, func(t testing.TB) core.Store { return sealer.Store(open(t, client)) })
}

// Redis holds nothing that could be read of where somebody signed in, and holds the
// key's id where it can be looked for.
func TestSealedInRedis(t *testing.T) {
	client, sealer, prefix := redistest.Local(t), newSealer(t), "test-"+rand.Text()
	t.Cleanup(func() { redistest.Remove(t, client, prefix) })
	s := openSite(t, newKeys(), sealer.Store(openAt(t, client, redisstore.Options{Prefix: prefix})))
	defer s.Close()
	clients := []core.Client{
		{IP: "192.0.2.7", UserAgent: "a browser on a phone", DeviceName: "Zoë's phone"},
		{IP: "2001:db8::7", UserAgent: "a browser on a laptop", DeviceName: "work laptop"},
	}
	for _, c := range clients {
		if _, err := s.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}, Client: c}); err != nil {
			t.Fatal(err)
		}
	}
	sessions, err := s.Sessions(t.Context(), "alice")
	if err != nil || len(sessions) != 2 || sessions[0].IP == sessions[1].IP || strings.HasPrefix(sessions[0].IP, sealed.Prefix) {
		t.Errorf("got %+v, %v, want two sessions in plain", sessions, err)
	}

	var held strings.Builder
	keys := client.Scan(t.Context(), 0, prefix+":*", 1000).Iterator()
	for keys.Next(t.Context()) {
		text, err := client.Get(t.Context(), keys.Val()).Result()
		if err != nil {
			stream, err := client.XRange(t.Context(), keys.Val(), "-", "+").Result()
			if err != nil {
				t.Fatal(keys.Val(), err)
			}
			text = fmt.Sprint(stream)
		}
		held.WriteString(text)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		for _, text := range []string{c.IP, c.UserAgent, c.DeviceName} {
			if strings.Contains(held.String(), text) {
				t.Errorf("Redis holds %q", text)
			}
		}
	}
	// An address, a User-Agent, a name and a browser of each session, an address, a name
	// and a browser of each device, each network, and two reasons of the second session.
	if n := strings.Count(held.String(), "sealed\t1:2026-01:"); n != 18 {
		t.Errorf("Redis holds %d sealed values, want 18", n)
	}
}
