// Package settings reads what the example servers are told by the environment.
package settings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
)

// Settings are what an example server is told.
type Settings struct {
	Addr      string      // where it listens
	Local     bool        // only this machine reaches it, and no proxy stands in front
	RandomKey bool        // SECRET_KEY was not set: the key is made up
	Auth      core.Config // keys, lifetimes, cookies and limits; the rest is the app's

	// Where sessions are kept: in Redis, or else in a database, or else in memory. With
	// both of these the database has the history.
	Redis    *redis.UniversalOptions
	Database *Database

	Mail   *Mail    // nil: notices are logged
	Places []string // files that know where addresses are; nil: no place is known

	Metrics bool // are served at /metrics
}

// Store is the name of the store that sessions are kept in.
func (s Settings) Store() string {
	switch {
	case s.Redis != nil:
		return "redis"
	case s.Database != nil:
		return string(s.Database.Dialect)
	}
	return "memory"
}

// Read reads the environment. A setting that is empty counts as not set. The
// error has one line for each mistake, which names the setting.
func Read(getenv func(string) string) (Settings, error) {
	env := reader{getenv: getenv}
	s := Settings{Addr: env.addr("ADDR", "127.0.0.1:8080"), Redis: env.redis("REDIS_URL"), Database: env.database("DATABASE_URL")}
	s.Mail, s.Places = env.mail("SMTP_URL", "MAIL_FROM"), env.list("GEOIP_FILE")
	s.Metrics = env.boolean("METRICS", false)
	s.Auth = core.Config{
		AccessTTL:          env.duration("ACCESS_TOKEN_LIFETIME", time.Second),
		RefreshTTL:         env.duration("REFRESH_TOKEN_LIFETIME", time.Second),
		SessionTTL:         env.duration("SESSION_LIFETIME", time.Second),
		IdleTimeout:        env.duration("IDLE_TIMEOUT", time.Second),
		TouchInterval:      env.duration("TOUCH_INTERVAL", time.Millisecond),
		Grace:              env.duration("REFRESH_GRACE", 0),
		RefreshPolicy:      choice(&env, "REFRESH_POLICY", refreshPolicies),
		MaxSessions:        env.number("MAX_SESSIONS", 1, 256),
		SessionLimitPolicy: choice(&env, "SESSION_LIMIT_POLICY", limitPolicies),
		TrustedOrigins:     env.list("TRUSTED_ORIGINS"),
		TrustedProxies:     env.prefixes("TRUSTED_PROXIES"),
		ForwardedHeader:    env.header("FORWARDED_HEADER", "X-Forwarded-For", "Forwarded"),
		Limits:             env.limits("LOGIN_LIMIT"),
		Cookie: core.Cookie{
			Name:     getenv("REFRESH_TOKEN_COOKIE_NAME"),
			SameSite: choice(&env, "REFRESH_TOKEN_COOKIE_SAMESITE", sameSites),
			Insecure: !env.boolean("REFRESH_TOKEN_COOKIE_SECURE", !loopback(s.Addr)),
		},
	}
	s.Local = loopback(s.Addr) && s.Auth.TrustedProxies == nil
	if s.Auth.Grace == 0 && getenv("REFRESH_GRACE") != "" {
		s.Auth.Grace = core.NoGrace
	}

	// As it stands the key signs access tokens, so that other services can
	// verify them. What protects refresh and device tokens is derived from it.
	secret := []byte(getenv("SECRET_KEY"))
	if len(secret) == 0 {
		s.RandomKey = true
		secret = []byte(rand.Text() + rand.Text())
	}
	s.Auth.Keys = []core.Key{{Algorithm: core.HS256, Secret: secret}}
	return s, errors.Join(env.errs...)
}

var (
	refreshPolicies = []word[core.RefreshPolicy]{{"rotate", core.Rotate}, {"sliding", core.Sliding}}
	limitPolicies   = []word[core.SessionLimitPolicy]{{"evict-oldest", core.EvictOldest}, {"evict-idle", core.EvictIdle}, {"refuse", core.RefuseNew}}
	sameSites       = []word[http.SameSite]{{"lax", http.SameSiteLaxMode}, {"strict", http.SameSiteStrictMode}, {"none", http.SameSiteNoneMode}}
)

// table has every setting that there is, what it may be, and the fields of
// core.Config that it becomes, if core.New may refuse them.
var table = []struct {
	name, what string
	fields     []string
}{
	{"ADDR", "where to listen; 127.0.0.1:8080 if not set", nil},
	{"SECRET_KEY", "at least 32 random bytes; if not set, made up for one run", []string{"Keys", "Secrets"}},
	{"REDIS_URL", "redis://host:port or a form for several servers; if not set, sessions are in the database or in memory", nil},
	{"DATABASE_URL", "sqlite:///file, mysql:// or postgres://; with REDIS_URL as well, the history is there", nil},
	{"ACCESS_TOKEN_LIFETIME", "seconds, or a duration such as 15m", []string{"AccessTTL"}},
	{"REFRESH_TOKEN_LIFETIME", "likewise", []string{"RefreshTTL"}},
	{"SESSION_LIFETIME", "likewise", []string{"SessionTTL"}},
	{"IDLE_TIMEOUT", "likewise", []string{"IdleTimeout"}},
	{"TOUCH_INTERVAL", "likewise", []string{"TouchInterval"}},
	{"REFRESH_GRACE", "likewise, at most 5m; 0 is strict single use", []string{"Grace"}},
	{"REFRESH_POLICY", "rotate or sliding", []string{"RefreshPolicy"}},
	{"REFRESH_TOKEN_COOKIE_NAME", "used as given", []string{"Cookie.Name"}},
	{"REFRESH_TOKEN_COOKIE_SECURE", "true or false; if not set, false on loopback", nil},
	{"REFRESH_TOKEN_COOKIE_SAMESITE", "lax, strict or none", []string{"Cookie.SameSite"}},
	{"MAX_SESSIONS", "1 to 256", []string{"MaxSessions"}},
	{"SESSION_LIMIT_POLICY", "evict-oldest, evict-idle or refuse", []string{"SessionLimitPolicy"}},
	{"TRUSTED_ORIGINS", "such as https://app.example.com, comma-separated", []string{"TrustedOrigins"}},
	{"TRUSTED_PROXIES", "addresses or CIDRs, comma-separated", []string{"TrustedProxies"}},
	{"FORWARDED_HEADER", "X-Forwarded-For or Forwarded", []string{"ForwardedHeader"}},
	{"LOGIN_LIMIT", "sign-ins a minute of one account, 1 to 100000, ten times as many of one address; off: no limits at all", nil},
	{"GEOIP_FILE", "databases of places in MaxMind's format, comma-separated; if not set, no place is known", nil},
	{"METRICS", "true or false; true serves /metrics for Prometheus, to everybody who can reach it", nil},
	{"SMTP_URL", "smtp://user:password@host:port or smtps://, for notices of unusual sign-ins; if not set, they are logged", nil},
	{"MAIL_FROM", "whom mail is from; needed with SMTP_URL", nil},
}

// Usage writes what the settings are, one a line.
func Usage(w io.Writer) {
	for _, t := range table {
		fmt.Fprintf(w, "  %-30s %s\n", t.name, t.what)
	}
}

// Explain returns an error of core.New in the words of the environment: one
// line for each mistake.
func Explain(err error) error {
	var env reader
	told := make(map[string]string) // what a field said of a setting, another repeats
	for line := range strings.Lines(err.Error()) {
		for _, t := range table {
			for _, field := range t.fields {
				what, ok := strings.CutPrefix(line, "sallyport: Config."+field)
				if !ok || told[t.name] != "" && told[t.name] != field {
					continue
				}
				told[t.name] = field
				_, what, _ = strings.Cut(what, ": ") // after an index and a key's id
				env.wrong(t.name, "%s", strings.TrimSpace(what))
			}
		}
	}
	if env.errs == nil {
		return err
	}
	return errors.Join(env.errs...)
}
