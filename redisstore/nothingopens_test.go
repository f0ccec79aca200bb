package redisstore_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

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
