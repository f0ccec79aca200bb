package nethttpauth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// canaries are what must not be seen, by what they are.
type canaries map[string]string

// add keeps a secret, and what it could be cut down to or written as.
func (c canaries) add(what, secret string) {
	if len(secret) < 8 {
		return
	}
	c[secret] = what
	c[base64.StdEncoding.EncodeToString([]byte(secret))] = what + ", in base64"
	c[hex.EncodeToString([]byte(secret))] = what + ", in hexadecimal"
	c[fmt.Sprint([]byte(secret))] = what + ", as bytes"
	for _, prefix := range []string{"sprt_", "spdt_"} {
		if rest, ok := strings.CutPrefix(secret, prefix); ok {
			c[rest] = what + ", without its prefix"
			c[rest[len(rest)/2:]] = what + ", its second half"
		}
	}
	if parts := strings.Split(secret, "."); len(parts) == 3 {
		c[parts[1]], c[parts[2]] = what+", its payload", what+", its signature"
	}
}

// in returns what of the canaries a text shows.
func (c canaries) in(text string) []string {
	var found []string
	for secret, what := range c {
		if strings.Contains(text, secret) {
			found = append(found, what)
		}
	}
	return found
}

// P29: whatever is asked and however it fails, no token, password or key is in
// the log, an audit record, an error, the store, or an answer that does not hand
// it out.
func TestNoSecretIsSeen(t *testing.T) {
	var log lockedBuffer
	old := slog.Default()
	defer slog.SetDefault(old)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	secret := make(canaries)
	secret.add("the key", string(testKey))

	for _, quiet := range []bool{false, true} { // the default audit, and one that prints everything
		change := func(c *core.Config) {
			c.AccessCookie = "access"
			c.MaxSessions = 3
			c.Audit = nil
			if quiet {
				c.Audit = func(_ context.Context, e core.Event) { fmt.Fprintf(&log, "%v %+v %#v %v\n", e, e, e, e.Err) }
			}
		}
		onSite(t, change, func(t *testing.T, s *site) {
			nethttpauth.Mount(s.mux, prefix+"/adm", s.auth.AdminRoutes(core.Allow(func(context.Context, *core.Principal) (bool, error) { return true, nil })))
			for i := range 12 {
				s.everything(secret, &log, i)
			}
			s.store.down.Store(true)
			s.everything(secret, &log, -1)
			s.store.down.Store(false)
			s.broken = errors.New("the app's database is gone")
			s.everything(secret, &log, -1)
			s.broken = nil
			for _, user := range []string{"alice", "bob"} {
				l, err := s.store.Load(t.Context(), user)
				if err != nil {
					t.Fatal(err)
				}
				printAll(&log, l)
			}
			batch, err := s.store.Tail(t.Context(), "", 0)
			if err != nil || len(batch.Events) == 0 {
				t.Fatal(batch, err)
			}
			printAll(&log, batch)
			for _, f := range s.auth.Check(t.Context()) {
				fmt.Fprintf(&log, "%v %+v\n", f, f)
			}
			if err := s.auth.Close(); err != nil {
				t.Error(err)
			}
			printAll(&log, s.auth)
		})
	}
	seen := log.String()
	if strings.Count(seen, "signed_in") < 40 || strings.Count(seen, "refresh_reused") < 10 || strings.Count(seen, "connection refused") < 4 {
		t.Errorf("too little was logged: %d bytes", len(seen))
	}
	for _, what := range secret.in(seen) {
		t.Errorf("seen: %s", what)
	}
	if len(secret) < 1000 {
		t.Errorf("%d canaries", len(secret))
	}
	t.Logf("%d canaries, %d bytes", len(secret), len(seen))
}

// everything calls every route with good and bad tokens. Answers that hand out
// tokens add to the canaries, all others are written down. Round -1: nothing
// need work.
func (s *site) everything(secret canaries, log *lockedBuffer, round int) {
	s.t.Helper()
	write := func(a answer) {
		fmt.Fprintln(log, a.status, a.body)
		for name, values := range a.header {
			if name != "Set-Cookie" {
				fmt.Fprintln(log, name, values)
			}
		}
	}
	keep := func(a answer) (p pair) {
		if a.status != http.StatusOK {
			write(a)
			return p
		}
		p = a.pair()
		secret.add("an access token", p.AccessToken)
		secret.add("a refresh token", p.RefreshToken+p.Cookie)
		secret.add("a device token", p.DeviceCookie)
		return p
	}
	password := fmt.Sprintf("hunter-%d-%d", round, len(secret))
	secret.add("a password", password)
	write(s.post("/login", `{"username":"alice","password":"`+password+`"}`))
	write(s.post("/login?password="+password, `{"username":"alice","password":"`+password+`","password":"x"}`))
	write(s.post("/login", `{"username":"alice","password":"pw","delivery":"`+password+`"}`))

	first := keep(s.post("/login", `{"username":"alice","password":"pw","device_name":"d"}`))
	native := keep(s.post("/login", `{"username":"bob","password":"pw","delivery":"body","device_id":"phone"}`))
	pass(11 * time.Second)
	second := keep(s.post("/refresh", "", refreshCookie(first.Cookie), cookie("device", first.DeviceCookie)))
	nativeNext := keep(s.post("/refresh", refreshBody(native.RefreshToken)))
	for _, token := range []string{first.AccessToken, second.AccessToken, native.AccessToken} {
		if token == "" {
			continue
		}
		for _, bad := range []string{token[:len(token)-5] + "AAAAA", token + "A", token[:len(token)-1], "x" + token} {
			secret.add("a spoilt access token", bad)
			write(s.do("GET", "/sessions?access_token="+bad, "", bearer(bad)))
			write(s.do("GET", "/sessions", "", cookie("access", bad)))
			write(s.post("/logout", "", bearer(bad)))
			write(s.post("/adm/tokens/lookup", `{"token":"`+bad+`"}`, bearer(token)))
			write(s.post("/adm/tokens/revoke", `{"token":"`+bad+`","user_id":"x"}`, bearer(token)))
		}
		write(s.do("GET", "/sessions", "", bearer(token)))
		write(s.post("/adm/tokens/lookup", `{"token":"`+token+`"}`, bearer(token)))
		write(s.do("GET", "/adm/users/alice/tokens", "", bearer(token)))
		write(s.post("/adm/online", `{"user_ids":["alice","bob"]}`, bearer(token)))
		write(s.post("/sessions/revoke", `{"session_id":"`+token+`"}`, bearer(token)))
	}
	if nativeNext.RefreshToken != "" {
		for i := range 6 {
			bad := nativeNext.RefreshToken[:20+i] + "?" + nativeNext.RefreshToken[21+i:]
			secret.add("a spoilt refresh token", bad)
			write(s.post("/refresh", refreshBody(bad)))
			write(s.post("/logout", refreshBody(bad)))
			write(s.post("/refresh", refreshBody(nativeNext.RefreshToken), refreshCookie(bad)))
		}
		write(s.post("/refresh", refreshBody(nativeNext.RefreshToken)[:50]))
		write(s.post("/refresh", `{"refresh_token":"`+nativeNext.RefreshToken+`","device_id":"another"}`))
		keep(s.post("/refresh", refreshBody(nativeNext.RefreshToken)))
		pass(time.Minute)
		write(s.post("/refresh", refreshBody(native.RefreshToken))) // theft
		write(s.post("/adm/tokens/revoke", `{"token":"`+first.Cookie+`"}`, bearer(second.AccessToken)))
	}
	write(s.post("/logout-all", "", bearer(second.AccessToken)))
}

// printAll writes a value in all the ways in which one gets into a log.
func printAll(log *lockedBuffer, v any) {
	fmt.Fprintf(log, "%v %+v %#v\n", v, v, v)
	if b, err := json.Marshal(v); err == nil {
		log.Write(b)
	}
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
