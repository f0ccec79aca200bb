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
)

const (
	addressTimes    = 10               // as many sign-ins of an address as of an account
	failuresKept    = 15 * time.Minute // a failed sign-in counts for this long at most
	limiterTimeout  = 250 * time.Millisecond
	limiterAwayFor  = time.Second // after a failure the Limiter is not asked
	limiterMost     = 1024        // calls of the Limiter under way at once
	limiterKeyBytes = 16          // of a hash
)

// limited is one thing that is limited.
type limited struct {
	name string // as it is audited, and in keys
	rate Rate   // Count 0: without limit
}

// limiters are the limits of an Auth, and who counts.
type limiters struct {
	limiter Limiter // nil: the Auth itself does
	own     Limiter // and if the other fails
	away    atomic.Int64
	asked   chan struct{} // has a place for each call of limiter that is under way

	account, device, address, failures limited
	stepUp, refresh, logoutAll, lookup limited
}

func newLimiters(l Limits, limiter Limiter) limiters {
	minutely := func(name string, count int) limited { return limited{name, Rate{count, time.Minute}} }
	account := minutely("login_account", l.Login)
	few := account.rate.Count
	device, address, failures := account, account, account
	device.name, address.name, failures.name = "login_device", "login_address", "login_failures"
	address.rate.Count = few * addressTimes
	if few > 0 {
		failures.rate = Rate{failuresMost / failurePoints, failuresKept}
	}
	return limiters{
		limiter: limiter,
		own:     NewLimiter(),
		asked:   make(chan struct{}, limiterMost),
		account: account, device: device, address: address, failures: failures,
		stepUp:    minutely("step_up", l.StepUp),
		refresh:   minutely("refresh", l.Refresh),
		logoutAll: minutely("logout_all", l.LogoutAll),
		lookup:    minutely("lookup", l.Lookup),
	}
}

// take takes n of what somebody may do. A Limiter that fails is not asked for a
// moment: what it can't count is counted here.
func (a *Auth) take(ctx context.Context, what *limited, who string, n int) Allowance {
	if what.rate.Count <= 0 {
		return Allowance{OK: true}
	}
	l := &a.limits
	hash := sha256.Sum256([]byte(what.name + "\x00" + who))
	key := what.name + ":" + hex.EncodeToString(hash[:limiterKeyBytes])
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limiterTimeout)
	defer cancel()
	if now := a.now().UnixNano(); l.limiter != nil && now >= l.away.Load() {
		got, err := outside(ctx, l.asked, func(ctx context.Context) (Allowance, error) { return l.limiter.Take(ctx, key, what.rate, n) })
		if err == nil {
			return got
		}
		l.away.Store(now + limiterAwayFor.Nanoseconds())
		a.audit(ctx, EventFailed, Event{Err: fmt.Errorf("sallyport: Config.Limiter: %w", err)})
	}
	got, err := l.own.Take(context.WithoutCancel(ctx), key, what.rate, n) // the other may have had all the time
	if err != nil {
		a.audit(ctx, EventFailed, Event{Err: fmt.Errorf("sallyport: the limiter in memory: %w", err)})
		return Allowance{RetryAfter: time.Second}
	}
	return got
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
// typed; case and surrounding space make no difference.
func (a *Auth) AllowSignIn(r Request, username string) error {
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
		return a.limit(ctx, &a.limits.device, account+d.ID, seen)
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

// accountKey is the same for all that an app may take for one name. It ends what it
// is put before.
func accountKey(username string) string {
	return strings.ToLower(strings.TrimSpace(username)) + "\x00"
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
