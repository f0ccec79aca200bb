package core_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
)

// Every mistake is reported at once, by the name of its field.
func TestConfigMistakes(t *testing.T) {
	_, err := core.New(core.Config{})
	for _, field := range []string{"Config.Store:", "Config.Keys:", "Config.Secrets:"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the zero Config: %v, want a word on %s", err, field)
		}
	}
	_, err = core.New(core.Config{
		Keys:               []core.Key{{Secret: []byte("short and CANARY-KEY")}},
		Secrets:            []core.Secret{{Value: []byte("CANARY-SECRET")}},
		AccessTTL:          1500 * time.Millisecond,
		RefreshTTL:         -time.Second,
		SessionTTL:         time.Millisecond,
		IdleTimeout:        time.Millisecond,
		TouchInterval:      time.Microsecond,
		Leeway:             61 * time.Second,
		RefreshPolicy:      7,
		Grace:              6 * time.Minute,
		RetireAccess:       2 * time.Hour,
		MaxSessions:        257,
		MaxPerClientType:   map[string]int{"Web": 0},
		SessionLimitPolicy: -1,
		Prefix:             "no-slash",
		Cookie:             core.Cookie{Name: "a b", Path: "x", Domain: "a;b", SameSite: http.SameSiteNoneMode, Insecure: true},
		TrustedOrigins:     []string{"not an origin"},
		StoreTimeout:       -1,
		MaxStaleness:       time.Millisecond,
		MaxRevocations:     -1,
	})
	if err == nil {
		t.Fatal("no mistake found")
	}
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		t.Fatalf("%T is no list", err)
	}
	for _, field := range []string{
		"Store", "Keys[0]", "Secrets[0]", "AccessTTL", "RefreshTTL", "SessionTTL", "IdleTimeout", "TouchInterval", "Leeway", "RefreshPolicy",
		"Grace", "RetireAccess", "MaxSessions", `MaxPerClientType: "Web"`, "MaxPerClientType: 0", "SessionLimitPolicy", "Prefix", "Cookie.Name",
		"Cookie.Path", "Cookie.Domain", "Cookie.SameSite", "TrustedOrigins", "StoreTimeout", "MaxStaleness", "MaxRevocations",
	} {
		if n := strings.Count(err.Error(), "Config."+field); n < 1 {
			t.Errorf("nothing on %s in:\n%v", field, err)
		}
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Errorf("a secret in %v", err)
	}
}

// One mistake at a time, at the bounds.
func TestConfigBounds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*core.Config)
		ok     bool
	}{
		{"nothing set", func(*core.Config) {}, true},
		{"access for a second", func(c *core.Config) { c.AccessTTL = time.Second }, true},
		{"access for less", func(c *core.Config) { c.AccessTTL = time.Second - 1 }, false},
		{"leeway 60 s", func(c *core.Config) { c.Leeway = time.Minute }, true},
		{"more", func(c *core.Config) { c.Leeway = time.Minute + 1 }, false},
		{"less than none", func(c *core.Config) { c.Leeway = -1 }, false},
		{"grace 5 min", func(c *core.Config) { c.Grace = 5 * time.Minute }, true},
		{"more", func(c *core.Config) { c.Grace = 5*time.Minute + time.Millisecond }, false},
		{"no grace", func(c *core.Config) { c.Grace = core.NoGrace }, true},
		{"grace as long as access", func(c *core.Config) { c.Grace, c.AccessTTL = time.Minute, time.Minute }, false},
		{"retire at once", func(c *core.Config) { c.RetireAccess = core.AtOnce }, true},
		{"retire after access", func(c *core.Config) { c.RetireAccess = time.Hour + 1 }, false},
		{"256 sessions", func(c *core.Config) { c.MaxSessions = 256 }, true},
		{"257", func(c *core.Config) { c.MaxSessions = 257 }, false},
		{"less than none", func(c *core.Config) { c.MaxSessions = -1 }, false},
		{"one phone", func(c *core.Config) { c.MaxPerClientType = map[string]int{"phone": 1} }, true},
		{"no phone", func(c *core.Config) { c.MaxPerClientType = map[string]int{"phone": 0} }, false},
		{"staleness 100 ms", func(c *core.Config) { c.MaxStaleness = 100 * time.Millisecond }, true},
		{"less", func(c *core.Config) { c.MaxStaleness = 99 * time.Millisecond }, false},
		{"times that no ledger holds", func(c *core.Config) { c.IdleTimeout = time.Hour + time.Microsecond }, false},
		{"nor this", func(c *core.Config) { c.Grace = time.Second + time.Nanosecond }, false},
		{"a host cookie", func(c *core.Config) { c.Cookie.Name = "__Host-r" }, true},
		{"under a prefix", func(c *core.Config) { c.Cookie.Name, c.Prefix = "__Host-r", "/auth" }, false},
		{"an access cookie", func(c *core.Config) { c.AccessCookie = "access" }, true},
		{"with no name of a cookie", func(c *core.Config) { c.AccessCookie = "a b" }, false},
		{"with the refresh cookie's", func(c *core.Config) { c.AccessCookie = "__Secure-refresh_token" }, false},
		{"with the device cookie's", func(c *core.Config) { c.AccessCookie = "__Secure-device" }, false},
		{"no token cache", func(c *core.Config) { c.TokenCacheBytes = -1 }, true},
		{"a proxy", func(c *core.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} }, true},
		{"everybody a proxy", func(c *core.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} }, false},
		{"Forwarded", func(c *core.Config) { c.ForwardedHeader = "Forwarded" }, true},
		{"another header", func(c *core.Config) { c.ForwardedHeader = "X-Real-IP" }, false},
		{"the device cookie's name", func(c *core.Config) { c.Cookie.Name = "__Secure-device" }, false},
	} {
		config := core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testSecret("key")}}}
		c.change(&config)
		auth, err := core.New(config)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			if err := auth.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	auth, err := core.NewStill(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testSecret("key")}}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := core.Settled(auth)
	for _, d := range []struct {
		name      string
		got, want any
	}{
		{"AccessTTL", c.AccessTTL, time.Hour},
		{"RefreshTTL", c.RefreshTTL, 7 * 24 * time.Hour},
		{"SessionTTL", c.SessionTTL, 30 * 24 * time.Hour},
		{"IdleTimeout", c.IdleTimeout, 7 * 24 * time.Hour},
		{"TouchInterval", c.TouchInterval, 5 * time.Minute},
		{"Leeway", c.Leeway, time.Duration(0)},
		{"RefreshPolicy", c.RefreshPolicy, core.Rotate},
		{"Grace", c.Grace, 10 * time.Second},
		{"RetireAccess", c.RetireAccess, time.Duration(0)},
		{"ReuseEndsAll", c.ReuseEndsAll, false},
		{"MaxSessions", c.MaxSessions, 5},
		{"SessionLimitPolicy", c.SessionLimitPolicy, core.EvictOldest},
		{"Prefix", c.Prefix, "/"},
		{"Cookie", c.Cookie, core.Cookie{Name: "__Secure-refresh_token", Path: "/", SameSite: http.SameSiteLaxMode}},
		{"Issuer", c.Issuer, "sallyport"},
		{"Audience", c.Audience, "sallyport"},
		{"StoreTimeout", c.StoreTimeout, 3 * time.Second},
		{"MaxStaleness", c.MaxStaleness, 2 * time.Second},
		{"MaxRevocations", c.MaxRevocations, 1_000_000},
	} {
		if d.got != d.want {
			t.Errorf("%s: %v, want %v", d.name, d.got, d.want)
		}
	}
	if c.Random == nil || c.Audit == nil || c.Active == nil {
		t.Error("no source of ids, no audit or no Active")
	}
	auth, err = core.NewStill(core.Config{
		Store: memstore.New(), Keys: []core.Key{{Secret: testSecret("key")}},
		AccessTTL: 7 * time.Second, RefreshTTL: time.Hour, Prefix: "/auth", Cookie: core.Cookie{Insecure: true},
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if c := core.Settled(auth); c.Grace != 3500*time.Millisecond || c.IdleTimeout != time.Hour || c.Cookie.Name != "refresh_token" || c.Cookie.Path != "/auth" {
		t.Errorf("defaults that follow others: %v, %v, %+v", c.Grace, c.IdleTimeout, c.Cookie)
	}
}

// What Check finds, and that it leaves nothing behind.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newTap()
		var reads atomic.Int64
		store.set(func(call string, do func() error) error {
			if call == "tail" && reads.Add(1) == 1 {
				return errBroken
			}
			return do()
		})
		h := open(t, store, func(c *core.Config) { c.Cookie.Insecure = true })
		synctest.Wait()
		if found := h.Check(t.Context()); len(found) != 2 || found[0].Subject != "feed" || !strings.Contains(found[0].Problem, "not read yet") || found[1].Subject != "cookie" {
			t.Errorf("at once: %v", found)
		}
		elapse(time.Second)
		if found := h.Check(t.Context()); len(found) != 1 || found[0].Subject != "cookie" {
			t.Errorf("sound but for the cookie: %v", found)
		}
		h.trail.expect(t, "check")
		p := h.signIn("alice")
		ahead, err := store.Load(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Commit(t.Context(), "alice", core.Change{ID: core.ID{1}, If: ahead.Version, At: ahead.At.Add(time.Minute), KeepUntil: ahead.At.Add(24 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		h.expectVerify(p, nil)
		if _, err := h.Sessions(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		if found := h.Check(t.Context()); len(found) != 2 || found[0].Subject != "clock" || !strings.Contains(found[0].Problem, "1m0s") {
			t.Errorf("with a ledger from the future: %v", found)
		}
		h.trail.take()
		for _, call := range []string{"load", "commit", "tail"} {
			store.set(func(c string, do func() error) error {
				if c == call {
					return errBroken
				}
				return do()
			})
			if found := h.Check(t.Context()); len(found) == 0 || found[0].Subject != "store" || !strings.Contains(found[0].Problem, errBroken.Error()) {
				t.Errorf("%s broken: %v", call, found)
			}
		}
	})
}
