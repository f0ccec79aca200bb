// Package settings reads what the example servers are told by the environment.
package settings

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Settings are what an example server is told.
type Settings struct {
	Addr      string      // where it listens
	RandomKey bool        // SECRET_KEY was not set: the key is made up
	Auth      core.Config // keys, lifetimes, cookies and limits; the rest is the app's
}

// Read reads the environment. A setting that is empty counts as not set. The
// error has one line for each setting that is wrong, and names it.
func Read(getenv func(string) string) (Settings, error) {
	env := reader{getenv: getenv}
	for _, name := range []string{"REDIS_URL", "DATABASE_URL", "TRUSTED_PROXIES", "FORWARDED_HEADER"} {
		if getenv(name) != "" {
			env.wrong(name, "this version does not support it yet")
		}
	}
	if limit := getenv("LOGIN_LIMIT"); limit != "" && limit != "off" {
		env.wrong("LOGIN_LIMIT", `this version supports only "off"`)
	}

	s := Settings{Addr: env.addr("ADDR", "127.0.0.1:8080")}
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
		Cookie: core.Cookie{
			Name:     getenv("REFRESH_TOKEN_COOKIE_NAME"),
			SameSite: choice(&env, "REFRESH_TOKEN_COOKIE_SAMESITE", sameSites),
			Insecure: !env.boolean("REFRESH_TOKEN_COOKIE_SECURE", !loopback(s.Addr)),
		},
	}
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

// fields are the settings by the fields of core.Config that they become.
var fields = []struct{ field, name string }{
	{"Keys", "SECRET_KEY"},
	{"Secrets", "SECRET_KEY"},
	{"AccessTTL", "ACCESS_TOKEN_LIFETIME"},
	{"RefreshTTL", "REFRESH_TOKEN_LIFETIME"},
	{"SessionTTL", "SESSION_LIFETIME"},
	{"IdleTimeout", "IDLE_TIMEOUT"},
	{"TouchInterval", "TOUCH_INTERVAL"},
	{"Grace", "REFRESH_GRACE"},
	{"RefreshPolicy", "REFRESH_POLICY"},
	{"MaxSessions", "MAX_SESSIONS"},
	{"SessionLimitPolicy", "SESSION_LIMIT_POLICY"},
	{"TrustedOrigins", "TRUSTED_ORIGINS"},
	{"Cookie.Name", "REFRESH_TOKEN_COOKIE_NAME"},
	{"Cookie.SameSite", "REFRESH_TOKEN_COOKIE_SAMESITE"},
}

// Explain returns an error of core.New in the words of the environment: one
// line for each setting that is wrong.
func Explain(err error) error {
	var env reader
	told := make(map[string]bool)
	for line := range strings.Lines(err.Error()) {
		for _, f := range fields {
			what, ok := strings.CutPrefix(line, "sallyport: Config."+f.field)
			if ok && !told[f.name] {
				told[f.name] = true
				_, what, _ = strings.Cut(what, ": ") // after an index and a key's id
				env.wrong(f.name, strings.TrimSpace(what))
			}
		}
	}
	if env.errs == nil {
		return err
	}
	return errors.Join(env.errs...)
}

// reader reads single settings and gathers what is wrong.
type reader struct {
	getenv func(string) string
	errs   []error
}

func (r *reader) wrong(name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(name+": "+format, args...))
}

// duration reads seconds or a Go duration.
func (r *reader) duration(name string, least time.Duration) time.Duration {
	text := r.getenv(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if seconds, notWhole := strconv.ParseInt(text, 10, 64); notWhole == nil {
		d, err = time.Duration(seconds)*time.Second, nil
		if seconds > math.MaxInt64/int64(time.Second) || seconds < 0 {
			err = strconv.ErrRange
		}
	}
	switch {
	case err != nil:
		r.wrong(name, `%q is no number of seconds and no duration such as "15m"`, text)
	case d < least:
		r.wrong(name, "%v is less than %v", d, least)
	}
	return d
}

func (r *reader) number(name string, least, most int) int {
	text := r.getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.wrong(name, "%q is no number from %d to %d", text, least, most)
	}
	return n
}

func (r *reader) boolean(name string, standard bool) bool {
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		r.wrong(name, "%q is neither true nor false", text)
	}
	return b
}

// list reads values with commas between them.
func (r *reader) list(name string) []string {
	text := r.getenv(name)
	if text == "" {
		return nil
	}
	values := strings.Split(text, ",")
	for i, v := range values {
		if values[i] = strings.TrimSpace(v); values[i] == "" {
			r.wrong(name, "%q has an empty value in it", text)
		}
	}
	return values
}

// addr reads an address to listen on.
func (r *reader) addr(name, standard string) string {
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	_, port, err := net.SplitHostPort(text)
	if n, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || n < 0 || n > math.MaxUint16 {
		r.wrong(name, "%q is no address such as 127.0.0.1:8080", text)
	}
	return text
}

// loopback reports whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// word is what a setting may be, and what it means.
type word[T any] struct {
	text  string
	means T
}

// choice reads one of several words. Not set: the zero T, which is the default.
func choice[T any](r *reader, name string, words []word[T]) T {
	var standard T
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	var may []string
	for _, w := range words {
		if w.text == text {
			return w.means
		}
		may = append(may, w.text)
	}
	r.wrong(name, "%q is none of: %s", text, strings.Join(may, ", "))
	return standard
}
