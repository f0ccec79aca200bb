package alike

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The comparison is shown answers that differ in one thing.
func TestFires(t *testing.T) {
	const (
		alice, bob = "aaaaaaaaaaaaaaaaaaaaaaaaa2", "bbbbbbbbbbbbbbbbbbbbbbbbb2" // ids on one server
		mallory    = "ccccccccccccccccccccccccc2"
	)
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	told := func(seconds int) string { return at(seconds).Format("2006-01-02T15:04:05.000Z") }
	good := func() *answer {
		return &answer{
			proto: "HTTP/1.1", status: 200, reason: "OK",
			headers: []header{{"Date", "now"}, {"Content-Type", "application/json"}, {"Set-Cookie", "a=1; Path=/"}, {"Set-Cookie", "b=2; Path=/"}},
			body:    `{"session_id":"` + alice + `","created_at":"` + told(10) + `","refresh_expires_in":604800}`,
			records: []string{"2026/01/02 03:04:05 INFO signed_in user=alice session=" + alice},
		}
	}
	// see has a server make up two sessions, ten seconds apart, and then answer.
	see := func(first, second string, a *answer) *view {
		b := newBook(nil)
		for i, id := range []string{first, second} {
			b.asked = append(b.asked, window{i + 1, at(10 * (i + 1)), at(10*(i+1) + 1)})
			b.view(&answer{body: id})
		}
		return b.view(a)
	}
	servers := []*server{{name: "one"}, {name: "another"}}
	for _, tt := range []struct {
		rule   string
		change func(*answer)
		alike  bool
	}{
		{"the same", func(*answer) {}, true},
		{"the clock in Date is the server's", func(a *answer) { a.headers[0].value = "later" }, true},
		{"the order of headers is free", func(a *answer) { a.headers = append(a.headers[1:], a.headers[0]) }, true},
		{"an id that nobody has seen", func(a *answer) {
			a.body = strings.ReplaceAll(a.body, alice, mallory)
			a.records[0] = strings.ReplaceAll(a.records[0], alice, mallory)
		}, false},
		{"the id of another session", func(a *answer) { a.body = strings.ReplaceAll(a.body, alice, bob) }, false},
		{"another status", func(a *answer) { a.status = 201 }, false},
		{"no answer", func(a *answer) { a.broken = "the connection ends" }, false},
		{"a header's name in another case", func(a *answer) { a.headers[1].name = "content-type" }, false},
		{"another value", func(a *answer) { a.headers[1].value += "; charset=utf-8" }, false},
		{"a header too many", func(a *answer) { a.headers = append(a.headers, header{"X-More", ""}) }, false},
		{"a line twice", func(a *answer) { a.headers = append(a.headers, a.headers[1]) }, false},
		{"a header missing", func(a *answer) { a.headers = slices.Delete(a.headers, 1, 2) }, false},
		{"Set-Cookie lines in another order", func(a *answer) { a.headers[2], a.headers[3] = a.headers[3], a.headers[2] }, false},
		{"Set-Cookie lines merged", func(a *answer) {
			a.headers = append(a.headers[:2], header{"Set-Cookie", "a=1; Path=/, b=2; Path=/"})
		}, false},
		{"another cookie attribute", func(a *answer) { a.headers[2].value += "; Secure" }, false},
		{"white space in the body", func(a *answer) { a.body += "\n" }, false},
		{"bytes after the answer", func(a *answer) { a.stray = "HTTP/1.1 200 OK" }, false},
		{"no audit record", func(a *answer) { a.records = nil }, false},
		{"one too many", func(a *answer) { a.records = append(a.records, a.records[0]) }, false},
		{"a record of another session", func(a *answer) { a.records[0] = strings.ReplaceAll(a.records[0], alice, bob) }, false},
		{"the same moment by another clock", func(a *answer) { a.body = strings.ReplaceAll(a.body, told(10), told(11)) }, true},
		{"another moment", func(a *answer) { a.body = strings.ReplaceAll(a.body, told(10), told(20)) }, false},
		{"a time that no request explains", func(a *answer) { a.body = strings.ReplaceAll(a.body, told(10), told(15)) }, false},
		{"a second less of life", func(a *answer) { a.body = strings.ReplaceAll(a.body, "604800", "604799") }, true},
		{"ten seconds less, as if begun before", func(a *answer) { a.body = strings.ReplaceAll(a.body, "604800", "604780") }, false},
	} {
		changed := good()
		tt.change(changed)
		// The other server has made up other ids: its are put in their places.
		other := strings.NewReplacer(alice, bob, bob, alice)
		changed.body, changed.records = other.Replace(changed.body), slices.Clone(changed.records)
		for i := range changed.records {
			changed.records[i] = other.Replace(changed.records[i])
		}
		got := differ(servers, []*view{see(alice, bob, good()), see(bob, alice, changed)})
		if (got == "") != tt.alike {
			t.Errorf("%s: got %q, want alike %v", tt.rule, got, tt.alike)
		}
	}
}

// Tokens are read: what they say counts, not how they are spelt.
func TestFiresInTokens(t *testing.T) {
	b := newBook([]byte("k"))
	b.asked = []window{{1, time.Unix(1_800_000_000, 0), time.Unix(1_800_000_001, 0)}}
	token := func(claims string) string {
		return toBase64(`{"alg":"HS256"}`) + "." + toBase64(claims) + "." + toBase64("signature")
	}
	p := b.read(token(`{"sub":"alice","iat":1800000000,"jti":"aaaaaaaaaaaaaaaaaaaaaaaaa2"}`))
	want := `access#1: {"alg":"HS256"}{"sub":"alice","iat":(a time),"jti":"id#1"}`
	if p.text != "access#1" || len(p.notes) != 1 || p.notes[0] != want || len(p.moments) != 1 || !p.moments[0].may["request 1 + 0s"] {
		t.Errorf("got %q, notes %q, moments %v, want the note %q and a moment", p.text, p.notes, p.moments, want)
	}
	if p := b.read(`{"access_token_hash":"` + hashOf("aaaaaaaaaaaaaaaaaaaaaaaaa2") + `"}`); p.text != `{"access_token_hash":"the hash of id#1"}` {
		t.Errorf("got %q, want the hash of the token's id", p.text)
	}
}

// A request fits a route, nearly fits one, or none.
func TestFits(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		want           fit
	}{
		{"GET", "/api/v1/me", matched},
		{"HEAD", "/api/v1/me?x=/", matched},
		{"POST", "/api/v1/admin/users/a%2Fb/trim", matched},
		{"POST", "/api/v1/me", wrongVerb},
		{"HEAD", "/api/v1/auth/login", wrongVerb},
		{"GET", "/API/v1/me", misspelt},
		{"GET", "/api/v1/me/", misspelt},
		{"GET", "/api//v1/./me", misspelt},
		{"GET", "/api/v1/%6De", misspelt},
		{"GET", "http://" + host + "/api/v1/me", misspelt},
		{"GET", "/api/v1/admin/users/../tokens", misspelt},
		{"GET", "/api/v1/admin/users//tokens", misspelt},
		{"GET", "/", noRoute},
		{"GET", "/api/v1/me/x", noRoute},
	} {
		if got, _ := (&request{method: tt.method, target: tt.target}).fits(); got != tt.want {
			t.Errorf("%s %s: got %d, want %d", tt.method, tt.target, got, tt.want)
		}
	}
}
