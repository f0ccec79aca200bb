package settings_test

import (
	"bytes"
	"crypto/rand"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/settings"
	"github.com/sallyport-go/sallyport/memstore"
)

var key = rand.Text() + rand.Text()

// read reads an environment and has core.New look at what comes out.
func read(env map[string]string) (settings.Settings, error) {
	s, err := settings.Read(func(name string) string { return env[name] })
	if err != nil {
		return s, err
	}
	config := s.Auth
	config.Store, config.Prefix = memstore.New(), "/api/v1/auth"
	auth, err := core.New(config)
	if err != nil {
		return s, settings.Explain(err)
	}
	return s, auth.Close()
}

func TestRead(t *testing.T) {
	all := map[string]string{
		"ADDR": ":9090", "SECRET_KEY": key, "REDIS_URL": "redis://h:1/2",
		"ACCESS_TOKEN_LIFETIME": "900", "REFRESH_TOKEN_LIFETIME": "48h", "SESSION_LIFETIME": "720h", "IDLE_TIMEOUT": "3600",
		"REFRESH_POLICY": "sliding", "REFRESH_GRACE": "30s", "TOUCH_INTERVAL": "60",
		"REFRESH_TOKEN_COOKIE_NAME": "__Secure-r", "REFRESH_TOKEN_COOKIE_SECURE": "true", "REFRESH_TOKEN_COOKIE_SAMESITE": "none",
		"MAX_SESSIONS": "256", "SESSION_LIMIT_POLICY": "evict-idle", "LOGIN_LIMIT": "20",
		"SMTP_URL": "smtp://mail.example.com:25", "MAIL_FROM": "auth@example.com", "GEOIP_FILE": "city.mmdb, /srv/asn.mmdb", "METRICS": "true",
		"TRUSTED_ORIGINS": "https://app.example.com, https://example.org:8443",
		"TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1,2001:db8::/32, ::1", "FORWARDED_HEADER": "forwarded",
	}
	want := settings.Settings{
		Addr:  ":9090",
		Redis: &redis.UniversalOptions{Addrs: []string{"h:1"}, DB: 2},
		Auth: core.Config{
			Keys:      []core.Key{{Algorithm: core.HS256, Secret: []byte(key)}},
			AccessTTL: 15 * time.Minute, RefreshTTL: 48 * time.Hour, SessionTTL: 720 * time.Hour, IdleTimeout: time.Hour,
			RefreshPolicy: core.Sliding, Grace: 30 * time.Second, TouchInterval: time.Minute,
			Cookie:      core.Cookie{Name: "__Secure-r", SameSite: http.SameSiteNoneMode},
			MaxSessions: 256, SessionLimitPolicy: core.EvictIdle,
			TrustedOrigins: []string{"https://app.example.com", "https://example.org:8443"},
			TrustedProxies: []netip.Prefix{
				netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::1/128"),
			},
			ForwardedHeader: "Forwarded",
			Limits:          core.Limits{Login: 20},
		},
		Mail: &settings.Mail{Host: "mail.example.com", Port: 25, From: "auth@example.com"}, Places: []string{"city.mmdb", "/srv/asn.mmdb"}, Metrics: true,
	}
	got, err := read(all)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestDefaults(t *testing.T) {
	for _, env := range []map[string]string{
		nil,
		{"ADDR": "", "SECRET_KEY": "", "REFRESH_GRACE": "", "MAX_SESSIONS": "", "LOGIN_LIMIT": "", "SMTP_URL": "", "MAIL_FROM": "", "GEOIP_FILE": "", "REDIS_URL": "", "TRUSTED_ORIGINS": "", "TRUSTED_PROXIES": "", "FORWARDED_HEADER": ""},
	} {
		s, err := read(env)
		if err != nil {
			t.Fatalf("%v: %v", env, err)
		}
		if s.Addr != "127.0.0.1:8080" || !s.RandomKey || !s.Local || !s.Auth.Cookie.Insecure {
			t.Errorf("%v: got address %q, random key %v, local %v, insecure cookie %v", env, s.Addr, s.RandomKey, s.Local, s.Auth.Cookie.Insecure)
		}
		again, err := read(env)
		if err != nil || bytes.Equal(again.Auth.Keys[0].Secret, s.Auth.Keys[0].Secret) {
			t.Errorf("%v: the same random key twice, or %v", env, err)
		}
		s.Auth.Keys, s.Auth.Cookie.Insecure = nil, false
		if !reflect.DeepEqual(s.Auth, core.Config{}) {
			t.Errorf("%v: got %+v, want what core recommends: zero values", env, s.Auth)
		}
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		rule        string
		name, value string
		get         func(settings.Settings) any
		want        any
	}{
		{"0 is strict single use", "REFRESH_GRACE", "0", func(s settings.Settings) any { return s.Auth.Grace }, core.NoGrace},
		{"0 is strict single use", "REFRESH_GRACE", "0s", func(s settings.Settings) any { return s.Auth.Grace }, core.NoGrace},
		{"5 minutes at most", "REFRESH_GRACE", "5m", func(s settings.Settings) any { return s.Auth.Grace }, 5 * time.Minute},
		{"seconds", "ACCESS_TOKEN_LIFETIME", "86400", func(s settings.Settings) any { return s.Auth.AccessTTL }, 24 * time.Hour},
		{"Go durations", "ACCESS_TOKEN_LIFETIME", "1h30m", func(s settings.Settings) any { return s.Auth.AccessTTL }, 90 * time.Minute},
		{"the default by name", "REFRESH_POLICY", "rotate", func(s settings.Settings) any { return s.Auth.RefreshPolicy }, core.Rotate},
		{"the default by name", "SESSION_LIMIT_POLICY", "evict-oldest", func(s settings.Settings) any { return s.Auth.SessionLimitPolicy }, core.EvictOldest},
		{"refuse", "SESSION_LIMIT_POLICY", "refuse", func(s settings.Settings) any { return s.Auth.SessionLimitPolicy }, core.RefuseNew},
		{"lax", "REFRESH_TOKEN_COOKIE_SAMESITE", "lax", func(s settings.Settings) any { return s.Auth.Cookie.SameSite }, http.SameSiteLaxMode},
		{"strict", "REFRESH_TOKEN_COOKIE_SAMESITE", "strict", func(s settings.Settings) any { return s.Auth.Cookie.SameSite }, http.SameSiteStrictMode},
		{"not secure on loopback", "ADDR", "localhost:80", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, true},
		{"not secure on loopback", "ADDR", "[::1]:80", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, true},
		{"secure elsewhere", "ADDR", "0.0.0.0:80", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, false},
		{"secure elsewhere", "ADDR", ":80", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, false},
		{"secure elsewhere", "ADDR", "192.0.2.1:80", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, false},
		{"secure when told", "REFRESH_TOKEN_COOKIE_SECURE", "true", func(s settings.Settings) any { return s.Auth.Cookie.Insecure }, false},
		{"one session", "MAX_SESSIONS", "1", func(s settings.Settings) any { return s.Auth.MaxSessions }, 1},
		{"loopback is local", "ADDR", "127.0.0.2:80", func(s settings.Settings) any { return s.Local }, true},
		{"elsewhere is not local", "ADDR", ":80", func(s settings.Settings) any { return s.Local }, false},
		{"behind a proxy is not local", "TRUSTED_PROXIES", "127.0.0.1", func(s settings.Settings) any { return s.Local }, false},
		{"the default by name", "FORWARDED_HEADER", "x-forwarded-for", func(s settings.Settings) any { return s.Auth.ForwardedHeader }, "X-Forwarded-For"},
		{"headers in any case", "FORWARDED_HEADER", "FORWARDED", func(s settings.Settings) any { return s.Auth.ForwardedHeader }, "Forwarded"},
		{"off is always accepted", "LOGIN_LIMIT", "off", func(s settings.Settings) any { return s.Auth.Limits }, core.Limits{Off: true}},
		{"sign-ins a minute", "LOGIN_LIMIT", "1", func(s settings.Settings) any { return s.Auth.Limits }, core.Limits{Login: 1}},
		{"sign-ins a minute", "LOGIN_LIMIT", "100000", func(s settings.Settings) any { return s.Auth.Limits }, core.Limits{Login: 100_000}},
		{"without a server an address is of no use", "MAIL_FROM", "auth@example.com", func(s settings.Settings) any { return s.Mail }, (*settings.Mail)(nil)},
	} {
		s, err := read(map[string]string{tt.name: tt.value})
		if err != nil {
			t.Errorf("%s: %s=%s: %v", tt.rule, tt.name, tt.value, err)
		} else if got := tt.get(s); got != tt.want {
			t.Errorf("%s: %s=%s: got %v, want %v", tt.rule, tt.name, tt.value, got, tt.want)
		}
	}
	s, err := read(map[string]string{"ADDR": ":80", "REFRESH_TOKEN_COOKIE_SECURE": "false"})
	if err != nil || !s.Auth.Cookie.Insecure {
		t.Errorf("not secure when told: got insecure %v, error %v", s.Auth.Cookie.Insecure, err)
	}
}

// A wrong setting stops the start with one line that names it.
func TestWrong(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		with        string // another setting that it is wrong with: "NAME=value"
	}{
		{name: "ADDR", value: "8080"},
		{name: "ADDR", value: "127.0.0.1"},
		{name: "ADDR", value: "127.0.0.1:http-ish"},
		{name: "ADDR", value: "127.0.0.1:70000"},
		{name: "SECRET_KEY", value: "too-short"},
		{name: "SECRET_KEY", value: strings.Repeat("a", 32)},
		{name: "SECRET_KEY", value: "change-me-change-me-change-me-change-me"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "soon"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "0"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "-60"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "1.5"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "1500ms"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "99999999999999999999"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "9223372036854775807"},
		{name: "ACCESS_TOKEN_LIFETIME", value: "18446744080"}, // in nanoseconds it would wrap around to 6 s
		{name: "ACCESS_TOKEN_LIFETIME", value: " 60"},
		{name: "REFRESH_TOKEN_LIFETIME", value: "7d"},
		{name: "REFRESH_TOKEN_LIFETIME", value: "500ms"},
		{name: "SESSION_LIFETIME", value: "-1h"},
		{name: "IDLE_TIMEOUT", value: "0"},
		{name: "TOUCH_INTERVAL", value: "0"},
		{name: "TOUCH_INTERVAL", value: "often"},
		{name: "REFRESH_POLICY", value: "Rotate"},
		{name: "REFRESH_POLICY", value: "none"},
		{name: "REFRESH_GRACE", value: "-1"},
		{name: "REFRESH_GRACE", value: "-1ns"},
		{name: "REFRESH_GRACE", value: "301"},
		{name: "REFRESH_GRACE", value: "60", with: "ACCESS_TOKEN_LIFETIME=60"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "a cookie"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "100 %s"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "device"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "two\nlines"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "__Secure-refresh"},
		{name: "REFRESH_TOKEN_COOKIE_NAME", value: "__Host-refresh", with: "REFRESH_TOKEN_COOKIE_SECURE=true"},
		{name: "REFRESH_TOKEN_COOKIE_SECURE", value: "yes"},
		{name: "REFRESH_TOKEN_COOKIE_SAMESITE", value: "loose"},
		{name: "REFRESH_TOKEN_COOKIE_SAMESITE", value: "none"}, // not secure on loopback
		{name: "MAX_SESSIONS", value: "0"},
		{name: "MAX_SESSIONS", value: "257"},
		{name: "MAX_SESSIONS", value: "five"},
		{name: "SESSION_LIMIT_POLICY", value: "oldest"},
		{name: "TRUSTED_ORIGINS", value: "app.example.com"},
		{name: "TRUSTED_ORIGINS", value: "https://app.example.com/path"},
		{name: "TRUSTED_ORIGINS", value: "https://app.example.com,"},
		{name: "TRUSTED_PROXIES", value: "proxy.local"},
		{name: "TRUSTED_PROXIES", value: "10.0.0.0/33"},
		{name: "TRUSTED_PROXIES", value: "10.0.0.0/8,"},
		{name: "TRUSTED_PROXIES", value: "127.0.0.1:8080"},
		{name: "TRUSTED_PROXIES", value: "fe80::1%eth0"},
		{name: "TRUSTED_PROXIES", value: "0.0.0.0/0"},
		{name: "TRUSTED_PROXIES", value: "10.0.0.0/8, ::/0"},
		{name: "FORWARDED_HEADER", value: "X-Real-IP"},
		{name: "FORWARDED_HEADER", value: "X-Forwarded-For, Forwarded"},

		{name: "REDIS_URL", value: "127.0.0.1:6379"},
		{name: "DATABASE_URL", value: "127.0.0.1:5432"},
		{name: "LOGIN_LIMIT", value: "0"},
		{name: "LOGIN_LIMIT", value: "-1"},
		{name: "LOGIN_LIMIT", value: "100001"},
		{name: "LOGIN_LIMIT", value: "ten"},
		{name: "LOGIN_LIMIT", value: "Off"},
		{name: "LOGIN_LIMIT", value: "10/m"},
		{name: "MAIL_FROM", value: "auth"},
		{name: "MAIL_FROM", value: "Auth <auth@example.com>"},
		{name: "MAIL_FROM", value: "auth@example.com\r\nBcc: eve@example.com"},
		{name: "GEOIP_FILE", value: "city.mmdb,"},
		{name: "SMTP_URL", value: "mail.example.com:25"},
	} {
		env := map[string]string{}
		if name, value, ok := strings.Cut(tt.with, "="); ok {
			env[name] = value
		}
		if _, err := read(env); err != nil {
			t.Fatalf("%s is wrong on its own: %v", tt.with, err)
		}
		env[tt.name] = tt.value
		_, err := read(env)
		switch {
		case err == nil:
			t.Errorf("%s=%q: no error", tt.name, tt.value)
		case !strings.HasPrefix(err.Error(), tt.name+": ") || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s=%q: got %q, want one line that begins with the name", tt.name, tt.value, err)
		case tt.name == "SECRET_KEY" && strings.Contains(err.Error(), tt.value):
			t.Errorf("the error shows the key: %v", err)
		case strings.Contains(err.Error(), "%!"):
			t.Errorf("%s=%q: got %q, a format", tt.name, tt.value, err)
		}
	}
}

// Each mistake has a line of its own, that says where and what.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want []string // in a line each
	}{
		{map[string]string{"ADDR": "x", "MAX_SESSIONS": "y", "REDIS_URL": "z", "DATABASE_URL": "z"}, []string{`ADDR: "x"`, "REDIS_URL: ", "DATABASE_URL: ", `MAX_SESSIONS: "y"`}},
		{map[string]string{"TRUSTED_PROXIES": "a, 10.0.0.0/8, b/8"}, []string{`TRUSTED_PROXIES: "a"`, `TRUSTED_PROXIES: "b/8"`}},
		{map[string]string{"TRUSTED_PROXIES": "0.0.0.0/0, 10.0.0.0/8, ::/0"}, []string{"TRUSTED_PROXIES: 0.0.0.0/0", "TRUSTED_PROXIES: ::/0"}},
	} {
		_, err := read(tt.env)
		if err == nil {
			t.Errorf("%v: no error", tt.env)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		same := len(lines) == len(tt.want)
		for i := 0; same && i < len(lines); i++ {
			same = strings.HasPrefix(lines[i], tt.want[i])
		}
		if !same {
			t.Errorf("%v: got %q, want lines that begin with %q", tt.env, lines, tt.want)
		}
	}
}

// The usage tells every setting that is read.
func TestUsage(t *testing.T) {
	var usage strings.Builder
	settings.Usage(&usage)
	told := make(map[string]bool)
	for line := range strings.Lines(usage.String()) {
		told[strings.Fields(line)[0]] = true
	}
	asked := make(map[string]bool)
	_, err := settings.Read(func(name string) string { asked[name] = true; return "" })
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(told, asked) {
		t.Errorf("the usage tells %v, and %v are read", told, asked)
	}
}
