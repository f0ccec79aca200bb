package nethttpauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Whatever the settings, cookies say all that they are, keep the rules of their
// names, are small enough and end in time; settings that could not are refused
// (P33).

const (
	cookieBytes = 4096            // RFC 6265bis section 5.6: more is not stored
	cookieLife  = 400 * 24 * 3600 // seconds; section 5.6.2: no more is granted
	tenYears    = 3650 * 24 * time.Hour
)

// jarCase is one configuration and what a client does with it.
type jarCase struct {
	Cookie                          core.Cookie
	Prefix                          string
	RefreshTTL, SessionTTL, IdleTTL time.Duration
	Policy                          core.RefreshPolicy
	UserID, DeviceID                string
	Waits                           []time.Duration // before each refresh
	wrong                           []string        // fields that can't be, by the one reason that they have on their own
}

// drawJar draws settings that are good, but for one field in a dozen.
func drawJar(t *rapid.T) jarCase {
	var c jarCase
	long := func(n int) string { return "/" + strings.Repeat("p", n-1) }
	text := func(field string, good, bad []string) string {
		if rapid.IntRange(0, 11).Draw(t, field+" is bad") == 0 {
			c.wrong = append(c.wrong, field)
			return rapid.SampledFrom(bad).Draw(t, field)
		}
		return rapid.SampledFrom(good).Draw(t, field)
	}
	life := func(field string, good ...time.Duration) time.Duration {
		if rapid.IntRange(0, 11).Draw(t, field+" is bad") == 0 {
			c.wrong = append(c.wrong, field)
			return rapid.SampledFrom([]time.Duration{-1, time.Nanosecond, 999 * time.Millisecond, time.Second + time.Nanosecond, tenYears + time.Second}).Draw(t, field)
		}
		return rapid.SampledFrom(good).Draw(t, field)
	}
	c.Cookie.Name = text("Cookie.Name",
		[]string{"", "r", "refresh", "!#$%&'*+-.^_`|~", strings.Repeat("n", 128), "__Secure-r", "__secure-r", "__SECURE-", "__Host-r", "__host-r", "__Hostr", "_Host-r", "device", "__Secure-device"},
		[]string{"a b", "a=b", "a;b", "a,b", "a\"b", "a\r\nb", "\u00e4", strings.Repeat("n", 129)})
	c.Prefix = text("Prefix",
		[]string{"", "/", "/api/v1/auth", "/a%20b", "/~a/b.c", long(512)},
		[]string{"api", "/api/", "//", "/a b", "/a;b", "/a?b", "/a#b", "/\u00e4", "/a\x00", "/a\r\nSet-Cookie:x", long(513)})
	c.Cookie.Path = text("Cookie.Path",
		[]string{"", "", "/", "/api", "/api/", long(512)},
		[]string{"x", "./", "/a;b", "/a b", "/\x7f", "/\u00e4", long(513)})
	c.Cookie.Domain = text("Cookie.Domain",
		[]string{"", "", "", "example.com", ".example.com", "app.example.com", "xn--mnchen-3ya.de", "localhost", strings.Repeat("d", 63) + "." + strings.Repeat("e", 63) + ".example"},
		[]string{"a;b", "a b", "example..com", "-a.example", "a-.example", "m\u00fcnchen.de", "[::1]", "a/b", strings.Repeat("d", 64) + ".example", strings.Repeat("d.", 130) + "example"})
	c.Cookie.Insecure = rapid.Bool().Draw(t, "Cookie.Insecure")
	c.Cookie.SameSite = rapid.SampledFrom([]http.SameSite{0, http.SameSiteDefaultMode, http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode}).Draw(t, "Cookie.SameSite")
	if rapid.IntRange(0, 11).Draw(t, "Cookie.SameSite is bad") == 0 {
		c.wrong, c.Cookie.SameSite = append(c.wrong, "Cookie.SameSite"), rapid.SampledFrom([]http.SameSite{-1, 5}).Draw(t, "Cookie.SameSite")
	}
	c.RefreshTTL = life("RefreshTTL", 0, time.Second, 1500*time.Millisecond, 10*time.Minute, 400*24*time.Hour, 400*24*time.Hour+time.Second, tenYears)
	c.SessionTTL = life("SessionTTL", 0, time.Second, 2999*time.Millisecond, 25*time.Minute, 400*24*time.Hour, tenYears)
	c.IdleTTL = life("IdleTimeout", 0, time.Second, time.Hour, tenYears)
	c.Policy = rapid.SampledFrom([]core.RefreshPolicy{core.Rotate, core.Sliding}).Draw(t, "RefreshPolicy")
	door := "\U0001F6AA"
	c.UserID = rapid.SampledFrom([]string{"u", strings.Repeat("x", 255), strings.Repeat(door, 63) + "abc"}).Draw(t, "user id")
	c.DeviceID = rapid.SampledFrom([]string{"", "phone 1", strings.Repeat(door, 32)}).Draw(t, "device id")
	c.Waits = rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, 500 * time.Millisecond, 999 * time.Millisecond, 2500 * time.Millisecond, 11 * time.Second, 9 * time.Minute}), 0, 4).Draw(t, "waits")

	device := map[bool]string{true: "device", false: "__Secure-device"}[c.Cookie.Insecure]
	if !slices.Contains(c.wrong, "Cookie.Name") && (!c.nameKept() || c.Cookie.Name == device) {
		c.wrong = append(c.wrong, "Cookie.Name")
	}
	if c.Cookie.SameSite == http.SameSiteNoneMode && c.Cookie.Insecure {
		c.wrong = append(c.wrong, "Cookie.SameSite")
	}
	return c
}

// path is where the cookies are to travel.
func (c *jarCase) path() string {
	for _, p := range []string{c.Cookie.Path, c.Prefix} {
		if p != "" {
			return p
		}
	}
	return "/"
}

// nameKept reports whether the settings keep the rules of the name's prefix, in
// whatever case (RFC 6265bis section 4.1.3).
func (c *jarCase) nameKept() bool {
	name := strings.ToLower(c.Cookie.Name)
	switch {
	case strings.HasPrefix(name, "__host-"):
		return !c.Cookie.Insecure && c.path() == "/" && c.Cookie.Domain == ""
	case strings.HasPrefix(name, "__secure-"):
		return !c.Cookie.Insecure
	}
	return true
}

func (c *jarCase) into(config *core.Config) {
	config.Cookie, config.Prefix = c.Cookie, c.Prefix
	config.RefreshTTL, config.SessionTTL, config.IdleTimeout, config.RefreshPolicy = c.RefreshTTL, c.SessionTTL, c.IdleTTL, c.Policy
}

var fieldNamed = regexp.MustCompile(`sallyport: Config\.([A-Za-z.]+): `)

// refused returns how New's verdict differs from the draw's, or "".
func (c *jarCase) refused() (wrong string, ok bool) {
	config := core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testKey}}, Audit: func(context.Context, core.Event) {}}
	c.into(&config)
	auth, err := core.New(config)
	if err == nil {
		auth.Close()
	}
	if (err == nil) != (len(c.wrong) == 0) {
		return fmt.Sprintf("New: %v, want %q refused", err, c.wrong), false
	}
	if err == nil {
		return "", true
	}
	// One that says the same as the one it follows may be named beside it, or not.
	follows := func(field string) bool {
		return field == "IdleTimeout" && (c.IdleTTL == 0 || c.IdleTTL == c.RefreshTTL) || field == "Cookie.Path" && c.Cookie.Path == ""
	}
	var named []string
	for _, m := range fieldNamed.FindAllStringSubmatch(err.Error(), -1) {
		named = append(named, m[1])
	}
	named, c.wrong = slices.DeleteFunc(named, follows), slices.DeleteFunc(c.wrong, follows)
	slices.Sort(named)
	slices.Sort(c.wrong)
	if named = slices.Compact(named); !slices.Equal(named, c.wrong) {
		return fmt.Sprintf("New names %q: %v, want %q", named, err, c.wrong), false
	}
	return "", false
}

// kept returns what is wrong with a cookie, or "". Its Max-Age is to be age.
func (c *jarCase) kept(line, name string, age int) string {
	parts := strings.Split(line, "; ")
	got, value, _ := strings.Cut(parts[0], "=")
	attributes := map[string]string{}
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(p, "=")
		if _, twice := attributes[k]; twice {
			return k + " comes twice"
		}
		attributes[k] = v
	}
	want := map[string]string{
		"Path": c.path(), "Max-Age": strconv.Itoa(age), "HttpOnly": "",
		"SameSite": map[http.SameSite]string{http.SameSiteStrictMode: "Strict", http.SameSiteNoneMode: "None"}[c.Cookie.SameSite],
	}
	if want["SameSite"] == "" {
		want["SameSite"] = "Lax"
	}
	if !c.Cookie.Insecure {
		want["Secure"] = ""
	}
	if c.Cookie.Domain != "" {
		want["Domain"] = strings.TrimPrefix(c.Cookie.Domain, ".") // RFC 6265 section 4.1.2.3: it is ignored
	}
	_, err := http.ParseSetCookie(line)
	prefixed := jarCase{Cookie: core.Cookie{Name: got, Path: attributes["Path"], Domain: attributes["Domain"], Insecure: !strings.Contains(line, "; Secure")}}
	switch {
	case err != nil:
		return err.Error()
	case got != name:
		return "its name is " + got + ", want " + name
	case fmt.Sprint(attributes) != fmt.Sprint(want):
		return fmt.Sprintf("its attributes are %q, want %q", attributes, want)
	case !prefixed.nameKept():
		return "it breaks the rules of its name"
	case (value == "") != (age == 0) || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "":
		return "its value is " + value
	case len(line) > cookieBytes:
		return fmt.Sprintf("it is %d bytes long", len(line))
	case age > cookieLife:
		return "it lives longer than 400 days"
	}
	return ""
}

// play signs in, refreshes and signs out, and returns what is wrong, or "".
func (c *jarCase) play(s *site) string {
	refresh, device := "__Secure-refresh_token", "__Secure-device"
	if c.Cookie.Insecure {
		refresh, device = "refresh_token", "device"
	}
	if c.Cookie.Name != "" {
		refresh = c.Cookie.Name
	}
	s.users["u"] = core.Identity{UserID: c.UserID}
	ttl := c.SessionTTL
	if ttl == 0 {
		ttl = 30 * 24 * time.Hour
	}
	over := time.Now().Add(ttl) // whatever happens

	jar, err := cookiejar.New(nil)
	if err != nil {
		return err.Error()
	}
	scheme, host := "https", "app.example.com"
	if c.Cookie.Insecure {
		scheme = "http"
	}
	if d := strings.TrimPrefix(c.Cookie.Domain, "."); d != "" && !strings.HasSuffix(host, d) {
		host = d
	}
	to := &url.URL{Scheme: scheme, Host: host, Path: strings.TrimSuffix(c.path(), "/") + "/refresh"}
	held := func() (value string) {
		for _, k := range jar.Cookies(to) {
			if k.Name == refresh {
				value = k.Value
			}
		}
		return value
	}

	// took checks the cookies of an answer that carries a pair, and keeps them.
	took := func(what string, a answer, most int) string {
		var p pair
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != 200 {
			return fmt.Sprintf("%s: %d %s", what, a.status, a.body)
		}
		left := int(time.Until(over) / time.Second)
		if c.Policy == core.Rotate {
			left = min(left, p.RefreshExpiresIn)
		}
		lines := a.header.Values("Set-Cookie")
		if len(lines) > most {
			return fmt.Sprintf("%s: sets %q", what, lines)
		}
		for _, line := range lines {
			name, age := refresh, min(left, cookieLife)
			if strings.HasPrefix(line, device+"=") {
				name, age = device, cookieLife
			}
			if age == 0 {
				return fmt.Sprintf("%s: sets %s with no life left", what, line)
			}
			if wrong := c.kept(line, name, age); wrong != "" {
				return fmt.Sprintf("%s: %s: %s", what, line, wrong)
			}
		}
		jar.SetCookies(to, (&http.Response{Header: a.header}).Cookies())
		return ""
	}

	a := s.post("/login", `{"username":"u","password":"pw","device_id":"`+c.DeviceID+`"}`)
	if wrong := took("login", a, 2); wrong != "" {
		return wrong
	}
	if len(a.header.Values("Set-Cookie")) != 2 || held() == "" {
		return fmt.Sprintf("login: a browser at %s has %q of %q", to, jar.Cookies(to), a.header.Values("Set-Cookie"))
	}
	token := held()
	for _, wait := range c.Waits {
		pass(wait)
		a := s.post("/refresh", "", cookie(refresh, token))
		if a.status == 401 {
			break // it ran out
		}
		if wrong := took("refresh", a, 1); wrong != "" {
			return wrong
		}
		if now := held(); now != "" {
			token = now
		}
	}
	for what, a := range map[string]answer{
		"logout":               s.post("/logout", "", cookie(refresh, token)),
		"login, delivery body": s.post("/login", `{"username":"u","password":"pw","delivery":"body"}`, cookie(refresh, token)),
	} {
		lines := a.header.Values("Set-Cookie")
		if a.status != 200 || len(lines) != 1 {
			return fmt.Sprintf("%s: %d %s sets %q, want one that deletes", what, a.status, a.body, lines)
		}
		if wrong := c.kept(lines[0], refresh, 0); wrong != "" {
			return fmt.Sprintf("%s: %s: %s", what, lines[0], wrong)
		}
		if jar.SetCookies(to, (&http.Response{Header: a.header}).Cookies()); held() != "" {
			return fmt.Sprintf("%s: a browser at %s still has %q", what, to, held())
		}
	}
	return ""
}

// In the last moment of a session there is no second left that a cookie could
// live, and one of none would delete.
func TestCookieAtTheEnd(t *testing.T) {
	onSite(t, func(c *core.Config) { c.SessionTTL = 2900 * time.Millisecond }, func(t *testing.T, s *site) {
		p := s.signIn("alice")
		pass(2500 * time.Millisecond)
		s.post("/refresh", "", refreshCookie(p.Cookie)).ok().cookies()
	})
}

func TestProofCookies(t *testing.T) {
	rounds := 3
	if os.Getenv("SALLYPORT_PROOF") != "" {
		rounds = 100
	}
	played := 0
	for range rounds { // of 100
		rapid.Check(t, func(rt *rapid.T) {
			c := drawJar(rt)
			wrong, ok := c.refused()
			if ok {
				played++
				onSite(t, c.into, func(_ *testing.T, s *site) { wrong = c.play(s) })
			}
			if wrong != "" {
				rt.Fatal(wrong)
			}
		})
	}
	if played < rounds*10 {
		t.Errorf("%d settings in %d were good: too few", played, rounds*100)
	}
}
