package redisstore_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

// P29: who has all that Redis holds, all that it is sent, and its slow log, has no token,
// no secret, and nothing to find a token by.
func TestProofNothingOpens(t *testing.T) {
	// Values are dumped as they are, and every command is slow enough for the log.
	server := redistest.Start(t, "--rdbcompression", "no", "--slowlog-log-slower-than", "0", "--slowlog-max-len", "1000000")
	w := &watched{t: t, client: server.Client(t), prefix: "secrecy-" + rand.Text(), marks: make(chan string, 1)}
	w.monitor(server.Addr)

	c := newCanaries()
	keys := newKeys()
	secret := core.Secret{Value: []byte(rand.Text() + rand.Text())}
	c.secret("the signing key", keys[0].Secret)
	c.secret("the secret", secret.Value)
	password := rand.Text()
	c.secret("a password", []byte(password))
	s := openSite(t, keys, openAt(t, server.Client(t), redisstore.Options{Prefix: w.prefix}), func(c *core.Config) {
		c.Secrets = []core.Secret{secret}
		c.Grace = core.NoGrace // a token that comes twice is theft
		c.RetireAccess = core.AtOnce
	})
	days := 5
	if proof() {
		days = 300
	}
	for day := range days {
		aDay(s, c, fmt.Sprint("user", day), password)
	}
	s.Close()
	for source, text := range w.all() {
		if found := c.in(text); len(found) > 0 {
			t.Errorf("%s: %d pieces, the first: %s", source, len(found), found[0])
		}
		if want := days * 1000; len(text) < want {
			t.Errorf("%s: %d bytes, want %d at least", source, len(text), want)
		}
		t.Logf("%d canaries, and none in %d bytes of %s", c.count, len(text), source)
	}
	if proof() && c.count < 1000 {
		t.Errorf("%d canaries", c.count)
	}
	if n := s.audited(core.EventReused); n != days {
		t.Errorf("%d thefts on %d days", n, days)
	}

	// They would be found, each in every form.
	plant := newCanaries()
	elsewhere := openSite(t, keys, memstore.New())
	defer elsewhere.Close()
	pair := elsewhere.signIn("planted")
	plant.token(pair.AccessToken)
	plant.token(pair.RefreshToken)
	plant.secret("the signing key", keys[0].Secret)
	planted := slices.Concat(tokenForms(pair.AccessToken), tokenForms(pair.RefreshToken), formsOf("the signing key", keys[0].Secret))
	for _, f := range planted {
		if err := w.client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		w.forget()
		if err := w.client.Set(t.Context(), w.prefix+":plant", f.text, 0).Err(); err != nil {
			t.Fatal(err)
		}
		for source, text := range w.all() {
			if len(plant.in(text)) == 0 {
				t.Errorf("%s was planted and is not found in %s", f.name, source)
			}
		}
	}
}

// aDay is all that a user does in one, a thief included.
func aDay(s *site, c *canaries, user, password string) {
	s.t.Helper()
	var access, refresh, device string
	do := func(want int, method, path, body string, with ...func(*http.Request)) {
		s.t.Helper()
		got := s.request(method, path, body, with...)
		if got.status != want {
			s.t.Fatalf("%s %s: %d %s, want %d", method, path, got.status, got.code, want)
		}
		var pair struct {
			AccessToken  string `json:"access_token"`
			RefreshToken string `json:"refresh_token"`
		}
		if err := json.Unmarshal(got.body, &pair); len(got.body) > 0 && err != nil {
			s.t.Fatal(err)
		}
		if pair.AccessToken != "" {
			access = pair.AccessToken
			c.token(access)
		}
		if pair.RefreshToken != "" {
			refresh = pair.RefreshToken
			c.token(refresh)
		}
		for _, k := range got.cookies {
			if k.Value == "" {
				continue
			}
			c.token(k.Value)
			switch k.Name {
			case "device":
				device = k.Value
			default:
				refresh = k.Value
			}
		}
	}
	browser := func() func(*http.Request) {
		return func(r *http.Request) {
			cookie("refresh_token", refresh)(r)
			cookie("device", device)(r)
		}
	}
	login := func(user, delivery string, with ...func(*http.Request)) {
		s.t.Helper()
		do(200, "POST", "/auth/login", fmt.Sprintf(`{"username":%q,"password":%q,"delivery":%q}`, user, password, delivery), with...)
	}
	token := func() string { return fmt.Sprintf(`{"token":%q}`, access) }

	login("root-of-"+user, "body")
	admin := bearer(access)
	login(user, "cookie")
	login(user, "cookie", browser()) // again, in the same browser
	do(200, "GET", "/page", "", bearer(access))
	do(200, "GET", "/strict", "", bearer(access))
	do(200, "POST", "/auth/refresh", "", browser())
	spent := refresh
	do(200, "POST", "/auth/refresh", "", browser())
	do(401, "POST", "/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, spent)) // a thief
	do(401, "GET", "/strict", "", bearer(access))
	login(user, "body")
	do(200, "POST", "/auth/refresh", fmt.Sprintf(`{"refresh_token":%q}`, refresh))
	do(200, "GET", "/auth/sessions", "", bearer(access))
	do(200, "POST", "/admin/tokens/lookup", token(), admin)
	do(200, "POST", "/admin/tokens/revoke", token(), admin)
	do(401, "GET", "/page", "", bearer(access))
	do(200, "POST", "/auth/logout", fmt.Sprintf(`{"refresh_token":%q}`, refresh))
	login(user, "cookie", browser())
	do(200, "POST", "/auth/logout", "", browser())
	login(user, "cookie", browser())
	do(200, "POST", "/auth/logout-all", "", bearer(access))
	login(user, "cookie", browser())
	do(200, "POST", "/admin/users/"+user+"/logout", "", admin)
	login(user, "cookie", browser())
	do(401, "POST", "/auth/refresh", "", cookie("refresh_token", refresh[:len(refresh)-1])) // and what is no token
	do(401, "GET", "/page", "", bearer(access+"x"))
}

// watched is a server of which all is seen.
type watched struct {
	t      *testing.T
	client *redis.Client
	prefix string

	mu    sync.Mutex
	seen  bytes.Buffer // what MONITOR tells
	marks chan string  // its lines that tell of an ECHO
}

// monitor listens to all commands from here on, scripts' own included.
func (w *watched) monitor(addr string) {
	w.t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	var reads sync.WaitGroup
	w.t.Cleanup(func() {
		conn.Close()
		reads.Wait()
	})
	conn.SetDeadline(time.Now().Add(time.Minute))
	lines := bufio.NewReader(conn)
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		w.t.Fatal(err)
	}
	if ok, err := lines.ReadString('\n'); ok != "+OK\r\n" {
		w.t.Fatal(ok, err)
	}
	conn.SetDeadline(time.Time{})
	reads.Go(func() {
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			w.mu.Lock()
			w.seen.Write(line)
			w.mu.Unlock()
			if bytes.Contains(line, []byte(`] "echo" "`)) {
				select {
				case w.marks <- string(line):
				default: // the test has failed
				}
			}
		}
	})
}

// forget drops what was seen so far.
func (w *watched) forget() {
	w.monitored()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Reset()
	if err := w.client.Do(w.t.Context(), "SLOWLOG", "RESET").Err(); err != nil {
		w.t.Fatal(err)
	}
}

// all returns what Redis holds, was sent, and has logged, by where that was found.
func (w *watched) all() map[string][]byte {
	w.t.Helper()
	all := map[string][]byte{"MONITOR": w.monitored()} // before what follows is in it
	slow, err := w.client.Do(w.t.Context(), "SLOWLOG", "GET", -1).Result()
	if err != nil {
		w.t.Fatal(err)
	}
	var log bytes.Buffer
	flatten(&log, slow)
	all["the slow log"] = log.Bytes()
	all["DUMP and values"] = w.dumped()
	return all
}

// monitored returns what MONITOR has told, up to now, as bytes and as it was written.
func (w *watched) monitored() []byte {
	w.t.Helper()
	mark := rand.Text()
	if err := w.client.Echo(w.t.Context(), mark).Err(); err != nil {
		w.t.Fatal(err)
	}
	select {
	case line := <-w.marks:
		if !strings.Contains(line, mark) {
			w.t.Fatalf("MONITOR tells of %q, want %s", line, mark)
		}
	case <-time.After(time.Minute):
		w.t.Fatal("MONITOR is behind")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := bytes.Clone(w.seen.Bytes())
	return append(unescape(text), text...)
}

// unescape undoes how MONITOR writes bytes.
func unescape(text []byte) []byte {
	letters := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'a': '\a', 'b': '\b', '"': '"', '\\': '\\'}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			if letter, ok := letters[text[i+1]]; ok {
				c = letter
				i++
			} else if n, err := strconv.ParseUint(string(text[min(i+2, len(text)):min(i+4, len(text))]), 16, 8); text[i+1] == 'x' && err == nil {
				c = byte(n)
				i += 3
			}
		}
		out = append(out, c)
	}
	return out
}

// dumped returns every key, every value, and what DUMP makes of it.
func (w *watched) dumped() []byte {
	w.t.Helper()
	ctx := w.t.Context()
	var all bytes.Buffer
	keys := w.client.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		if !strings.HasPrefix(key, w.prefix) {
			w.t.Errorf("%q is none of this store's keys", key)
		}
		dump, err := w.client.Dump(ctx, key).Result()
		if err != nil {
			w.t.Fatal(err)
		}
		var value any
		if kind := w.client.Type(ctx, key).Val(); kind == "stream" {
			value, err = w.client.Do(ctx, "XRANGE", key, "-", "+").Result()
		} else {
			value, err = w.client.Get(ctx, key).Result()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all.WriteString(key + "\n" + dump + "\n")
		flatten(&all, value)
	}
	if err := keys.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all.Bytes()
}

// flatten writes all texts of a reply.
func flatten(out *bytes.Buffer, reply any) {
	switch v := reply.(type) {
	case []any:
		for _, part := range v {
			flatten(out, part)
		}
	case map[any]any:
		for key, part := range v {
			flatten(out, key)
			flatten(out, part)
		}
	default:
		fmt.Fprintln(out, v)
	}
}
