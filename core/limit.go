package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	addressTimes    = 10               // as many sign-ins of an address as of an account
	devicesTimes    = 10               // and of all browsers that an account has signed in on
	failuresKept    = 15 * time.Minute // a failed sign-in counts for this long at most
	limiterTimeout  = 250 * time.Millisecond
	limiterAwayFor  = time.Second // after a failure the Limiter is not asked
	limiterCalls    = 1024        // under way at once
	limiterKeyBytes = 16          // of a hash
)

// limited is one thing that is limited.
type limited struct {
	name    string  // as it is audited, and in keys
	rate    Rate    // Count 0: without limit
	limiter Limiter // nil: own counts alone
	own     Limiter // in memory, and if the other fails
}

// limiters are the limits of an Auth, and who counts.
type limiters struct {
	// away is when a Limiter that failed is asked again, since the Auth began; 0: it
	// works.
	away  atomic.Int64
	asked chan struct{} // a place for each call of the Limiter that is under way

	account, device, devices, address  limited
	failures                           limited // kept for long, and refuses nobody
	stepUp, refresh, logoutAll, lookup limited
}

func newLimiters(l Limits, limiter Limiter) limiters {
	own := NewLimiter()
	minutely := func(name string, count int) limited {
		return limited{name, Rate{count, time.Minute}, limiter, own}
	}
	// In memory what is kept for long has a place of its own: it must neither push out
	// the counts of a minute nor make newcomers wait as long as it is kept.
	lasting := limiter
	if _, memory := limiter.(*memoryLimiter); memory {
		lasting = nil
	}
	few, failures := l.Login, Rate{failuresMost / failurePoints, failuresKept}
	if few == 0 {
		failures = Rate{}
	}
	return limiters{
		asked:     make(chan struct{}, limiterCalls),
		account:   minutely("login_account", few),
		device:    minutely("login_device", few),
		devices:   minutely("login_devices", few*devicesTimes), // who had the password once may have made many
		address:   minutely("login_address", few*addressTimes),
		failures:  limited{"login_failures", failures, lasting, newForgetfulLimiter(limiterKeys)},
		stepUp:    minutely("step_up", l.StepUp),
		refresh:   minutely("refresh", l.Refresh),
		logoutAll: minutely("logout_all", l.LogoutAll),
		lookup:    minutely("lookup", l.Lookup),
	}
}

// take takes n of what somebody may do. What a Limiter that fails can't count is
// counted here.
func (a *Auth) take(ctx context.Context, what *limited, who string, n int) Allowance {
	if what.rate.Count <= 0 {
		return Allowance{OK: true}
	}
	hash := sha256.Sum256([]byte(what.name + "\x00" + who))
	key := what.name + ":" + hex.EncodeToString(hash[:limiterKeyBytes])
	ctx = context.WithoutCancel(ctx) // who goes away has tried all the same
	if what.limiter != nil {
		if got, ok := a.takeOutside(ctx, what, key, n); ok {
			return got
		}
	}
	got, err := what.own.Take(ctx, key, what.rate, n)
	if err != nil {
		a.audit(ctx, EventFailed, Event{Err: fmt.Errorf("sallyport: the limiter in memory: %w", err)})
		return Allowance{RetryAfter: time.Second}
	}
	return got
}

// takeOutside asks the Limiter. After a failure one call a second does, and holds up
// nobody else.
func (a *Auth) takeOutside(ctx context.Context, what *limited, key string, n int) (Allowance, bool) {
	l := &a.limits
	pause := func() int64 { return int64(a.now().Sub(a.began) + limiterAwayFor) }
	away := l.away.Load()
	if away != 0 {
		next := pause()
		if away > next-int64(limiterAwayFor) || !l.away.CompareAndSwap(away, next) {
			return Allowance{}, false
		}
		away = next
	}
	ctx, cancel := context.WithTimeout(ctx, limiterTimeout)
	defer cancel()
	got, err := outside(ctx, l.asked, func(ctx context.Context) (Allowance, error) { return what.limiter.Take(ctx, key, what.rate, n) })
	if err == nil {
		err = got.mistake(what.rate)
	}
	if err == nil {
		if away != 0 {
			l.away.CompareAndSwap(away, 0)
		}
		return got, true
	}
	if l.away.CompareAndSwap(away, pause()) { // of many at once the first says so
		a.audit(ctx, EventFailed, Event{Err: fmt.Errorf("sallyport: Config.Limiter: %w", err)})
	}
	return Allowance{}, false
}

// mistake says what of an answer can't be.
func (g Allowance) mistake(r Rate) error {
	if g.Left < 0 || g.Left > r.Count || g.RetryAfter < 0 || g.RetryAfter > r.Per+time.Second { // which may be rounded up
		return fmt.Errorf("an answer that can't be: %+v at %d in %v", g, r.Count, r.Per)
	}
	return nil
}

// limit counts what somebody does, and refuses it if that is too often.
func (a *Auth) limit(ctx context.Context, what *limited, who string, seen Event) error {
	got := a.take(ctx, what, who, 1)
	if got.OK {
		return nil
	}
	seen.Cause = what.name
	a.audit(ctx, EventLimited, seen)
	e := *ErrTooManyRequests
	e.RetryAfter = max(got.RetryAfter, time.Second)
	return &e
}

// AllowSignIn counts a sign-in that is about to be tried, and refuses it with
// ErrTooManyRequests if there are too many of the account or of the client's address.
// The login route does it by itself; an app's own handler calls it before it looks at
// the password, and [Auth.SignInFailed] if that is wrong. username is what the user
// typed; case, surrounding space and characters that can't be seen make no difference.
// A request from another site is refused with ErrCrossSite and counts nowhere.
func (a *Auth) AllowSignIn(r Request, username string) error {
	if err := a.sameSite(r); err != nil {
		return err
	}
	client, device := a.clientOf(r), a.presentedDevice(r, "")
	client.DeviceID = device.ID
	return a.allowSignIn(r.Context(), &client, &device, username)
}

// SignInFailed counts a sign-in whose credentials were wrong, see [Evidence].Failures,
// and audits it. cause is what it was refused with, such as ErrInvalidCredentials.
func (a *Auth) SignInFailed(r Request, username string, cause error) {
	client := a.clientOf(r)
	client.DeviceID = a.presentedDevice(r, "").ID
	a.signInFailed(r.Context(), &client, username, cause)
}

func (a *Auth) allowSignIn(ctx context.Context, c *Client, d *deviceToken, username string) error {
	seen := c.seen()
	if address := addressKey(c.IP); address != "" {
		if err := a.limit(ctx, &a.limits.address, address, seen); err != nil {
			return err
		}
	}
	account := accountKey(username)
	if d.knows(username) {
		if err := a.limit(ctx, &a.limits.device, account+d.ID, seen); err != nil {
			return err
		}
		return a.limit(ctx, &a.limits.devices, account, seen)
	}
	return a.limit(ctx, &a.limits.account, account, seen)
}

// allowRefresh counts a refresh of the session that an authentic token is of.
func (a *Auth) allowRefresh(ctx context.Context, c *Client, device, token string) error {
	t, err := a.secret.openRefresh(token)
	if err != nil {
		return nil // it is refused for that
	}
	seen := c.seen()
	seen.DeviceID, seen.UserID, seen.Session = device, t.User, t.Session
	return a.limit(ctx, &a.limits.refresh, t.Session.String(), seen)
}

// signInFailed counts a wrong password.
func (a *Auth) signInFailed(ctx context.Context, c *Client, username string, cause error) {
	a.take(ctx, &a.limits.failures, accountKey(username), 1)
	a.refuseSignIn(ctx, c.seen(), cause)
}

// failures returns how many sign-ins to an account have failed lately.
func (a *Auth) failures(ctx context.Context, username string) int {
	what := &a.limits.failures
	if what.rate.Count == 0 || username == "" {
		return 0
	}
	return what.rate.Count - a.take(ctx, what, accountKey(username), 0).Left
}

// seen returns what is audited of a client.
func (c *Client) seen() Event {
	return Event{DeviceID: c.DeviceID, IP: c.IP, UserAgent: cutText(c.UserAgent, userAgentCap)}
}

// accountKey is the same for all that an app may take for one name: databases pass over
// case, space at the end, and what can't be seen. It ends what it is put before.
func accountKey(username string) string {
	seen := strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.C, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(c)) // some have two small forms
	}, username)
	return strings.TrimSpace(seen) + "\x00"
}

// addressKey returns what of an address is counted: all of IPv4, the /64 of IPv6,
// which one machine has. "": it is unknown.
func addressKey(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	if addr = plain(addr); addr.Is6() {
		p, _ := addr.Prefix(64)
		return p.String()
	}
	return addr.String()
}
