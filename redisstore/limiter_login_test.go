package redisstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// loginRace is how sign-ins at once went in one process.
type loginRace struct {
	Asked  map[string]int // of Authenticate, by account
	Failed int            // calls of the Limiter, which then are counted in memory
}

// Of fifty sign-ins at once to one account, at two processes that count in one Redis,
// exactly five get to Authenticate.
func TestLoginRaceProcesses(t *testing.T) {
	const variable = "SALLYPORT_TEST_LOGIN_LIMITER"
	if prefix := os.Getenv(variable); prefix != "" {
		racingLogins(t, prefix)
		return
	}
	client := redistest.Local(t)
	prefix := "test-" + rand.Text()
	t.Cleanup(func() { redistest.Remove(t, client, "rate:"+prefix) })
	env := variable + "=" + prefix
	processes := [2]*racer{startRacer(t, "TestLoginRaceProcesses", env), startRacer(t, "TestLoginRaceProcesses", env)}
	judged, mixed := 0, 0
	for range raceRounds {
		users := []string{rand.Text(), rand.Text(), rand.Text(), rand.Text()}
		for _, p := range processes {
			if err := p.in.Encode(users); err != nil {
				t.Fatal(err)
			}
		}
		var got [len(processes)]loginRace
		for i, p := range processes {
			if err := p.out.Decode(&got[i]); err != nil {
				t.Fatal(err)
			}
		}
		if got[0].Failed+got[1].Failed > 0 {
			continue // this machine is too busy: Redis took 250 ms
		}
		for _, user := range users {
			judged++
			a, b := got[0].Asked[user], got[1].Asked[user]
			if a+b != 5 {
				t.Errorf("%d and %d passwords were looked at, want 5 together", a, b)
			}
			if a > 0 && b > 0 {
				mixed++
			}
		}
	}
	if judged == 0 {
		t.Error("Redis was too slow each time")
	}
	t.Logf("%d of %d accounts were shared by both", mixed, judged)
}

// racingLogins is one of the processes.
func racingLogins(t *testing.T, prefix string) {
	client := redistest.Local(t)
	var mu sync.Mutex
	var asked map[string]int
	s := openSite(t, newKeys(), memstore.New(), func(c *core.Config) {
		c.Limits, c.Limiter = core.Limits{Login: 5}, openLimiterAt(t, client, prefix)
		c.Authenticate = func(_ context.Context, c core.Credentials) (core.Identity, error) {
			mu.Lock()
			defer mu.Unlock()
			asked[c.Username]++
			return core.Identity{}, core.ErrInvalidCredentials
		}
	})
	defer s.Close()
	var users []string
	for told := json.NewDecoder(os.Stdin); told.Decode(&users) == nil; {
		asked = map[string]int{}
		failed := s.audited(core.EventFailed)
		var all sync.WaitGroup
		begin := make(chan struct{})
		for i := range racers / 2 * len(users) {
			body, address := fmt.Sprintf(`{"username":%q,"password":"x"}`, users[i%len(users)]), rand.Text()
			all.Go(func() {
				<-begin
				s.request("POST", "/auth/login", body, fromAddress(address))
			})
		}
		close(begin)
		all.Wait()
		out, err := json.Marshal(loginRace{asked, s.audited(core.EventFailed) - failed})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\n", out)
	}
}

// fromAddress has a request come from an address made of a text.
func fromAddress(text string) func(*http.Request) {
	return func(r *http.Request) {
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", text[0], text[1], text[2])
	}
}

// What is limited leaves no name and no address in Redis, and none is sent there.
func TestLimiterHoldsNoNames(t *testing.T) {
	server := redistest.Start(t)
	w := &watched{t: t, client: newClient(t, server.Addr), prefix: "rate:sp:limit:", marks: make(chan string, 16)}
	user, guess := "user-"+rand.Text(), "password-"+rand.Text()
	s := openSite(t, newKeys(), memstore.New(), func(c *core.Config) {
		c.Limits, c.Limiter = core.Limits{Login: 5, Refresh: 2, LogoutAll: 1}, openLimiterAt(t, w.client, "sp")
		c.Authenticate = func(_ context.Context, c core.Credentials) (core.Identity, error) {
			if c.Password == guess {
				return core.Identity{}, core.ErrInvalidCredentials
			}
			return core.Identity{UserID: "id-of-" + user}, nil
		}
	})
	defer s.Close()
	w.monitor(server.Addr)
	login := func(password string) answer {
		return s.request("POST", "/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, user, password), func(r *http.Request) { r.RemoteAddr = "198.51.100.77:1" })
	}
	first := login("x")
	var p struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(first.body, &p); err != nil || first.status != http.StatusOK {
		t.Fatalf("got %d %s, %v", first.status, first.body, err)
	}
	for range 3 {
		for _, c := range first.cookies {
			if c.Name == "refresh_token" {
				s.request("POST", "/auth/refresh", "", cookie(c.Name, c.Value))
			}
		}
	}
	s.request("POST", "/auth/logout-all", "", bearer(p.AccessToken))
	for range 10 {
		login(guess)
	}
	if n := s.audited(core.EventLimited); n != 7 {
		t.Errorf("%d were limited, want 7", n)
	}
	if n := s.audited(core.EventFailed); n > 0 {
		t.Errorf("%d calls failed", n)
	}
	found := w.all()
	for where, text := range found {
		for what, name := range map[string]string{"username": user, "password": guess, "address": "198.51.100.77", "token": p.AccessToken} {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(name))) {
				t.Errorf("%s has the %s", where, what)
			}
		}
	}
	for _, name := range []string{"login_account", "login_address", "login_failures", "refresh", "logout_all"} {
		if !bytes.Contains(found["DUMP and values"], []byte("rate:sp:limit:"+name+":")) {
			t.Errorf("Redis has no key of %s: the test looks at nothing", name)
		}
	}
	keys := w.client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		life := w.client.PTTL(t.Context(), keys.Val()).Val()
		if life <= 0 || life > 31*24*time.Hour {
			t.Errorf("%s lives for %v", keys.Val(), life)
		}
		t.Logf("%s: %v, %d bytes", keys.Val(), life, w.client.MemoryUsage(t.Context(), keys.Val()).Val())
	}
}
