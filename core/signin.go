package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-go/sallyport/core/internal/agent"
)

// Client is what is known of the program at the other end. All of it is
// evidence, not proof.
type Client struct {
	DeviceID   string // 1-128 bytes; "": SignIn names the device
	Signed     bool   // the server named DeviceID, or is to, in a signed cookie
	DeviceName string // at most 128 bytes
	ClientType string // [a-z0-9_-]{1,32}; "": "web"
	IP         string
	UserAgent  string // cut to 512 bytes
	Hints      ClientHints
}

// ClientHints are what a browser says of itself beside its User-Agent
// (https://wicg.github.io/ua-client-hints): the values of the headers Sec-CH-UA,
// Sec-CH-UA-Mobile and Sec-CH-UA-Platform. Each may be "".
type ClientHints struct {
	Brands   string
	Mobile   string
	Platform string
}

// SignInRequest begins a session for a user whose identity the app has checked.
type SignInRequest struct {
	Identity Identity
	Client   Client
	// Replaces are the refresh tokens that the browser presented, if any. The
	// sessions that they name end first, whoever's they are, so that a sign-in
	// never leaves a session behind that nobody can reach any more. Those of
	// other users end even if this sign-in is then refused.
	Replaces []string

	// CheckedAt is when the app began to check the credentials. If the user's
	// sessions were revoked as a whole since, as after a new password or when
	// the user was disabled, Confirm is called, to check again against what is
	// so now: its error refuses the sign-in, and so does there being none.
	// Without CheckedAt a sign-in that is under way while the password changes
	// may begin a session with the old one.
	CheckedAt time.Time
	Confirm   func(context.Context) error

	// Failures are how many sign-ins to this account have failed in the last minutes,
	// see [Evidence]. SignInFrom knows it by SignInForm.Username.
	Failures int

	username string // what the user typed; "": not said
}

// Pair is what a sign-in or a refresh answers with.
type Pair struct {
	UserID           string
	AccessToken      string
	ExpiresIn        time.Duration // of the access token, whole seconds
	RefreshToken     string
	RefreshExpiresIn time.Duration // whole seconds
	Session          Session
	// Same says that RefreshToken stands for what was presented: the client
	// has it, and a cookie with it must not be set again, since the browser
	// may hold a newer one by the time it arrives.
	Same bool

	account    accountTag    // what the user signed in as, for the device to remember
	inBody     bool          // the client gets the refresh token in the body
	cookieLife time.Duration // until the refresh token can't be good any more
}

const (
	textCap      = 128 // bytes of a device's id or name
	userAgentCap = 512
	replacesCap  = 8 // more cookies of one name is nobody's browser
)

var errDeviceID = ErrBadRequest.saying("device_id must be at most 128 bytes without control characters")

// SignIn begins a session and answers with its first tokens. It never presents
// a session id that existed before. Errors: ErrTooManySessions, ErrBadRequest,
// ErrRiskDenied, ErrStepUpRequired (an *Error with what [Auth.StepUp] goes on from: no
// session has begun), what Confirm refused with, ErrStoreUnavailable, ErrInternal (an
// Identity that can't be).
func (a *Auth) SignIn(ctx context.Context, r SignInRequest) (Pair, error) {
	r = r.own()
	req, err := a.candidate(r)
	if err != nil {
		return Pair{}, err
	}
	return a.begin(ctx, beginning{
		userID:   r.Identity.UserID,
		request:  req,
		replaces: r.Replaces,
		failures: r.Failures,
		checked:  req.checked,
		confirm:  r.Confirm,
		account:  req.account(r.username),
	})
}

// account returns what a sign-in's device remembers of its user's name.
func (r *signInRequest) account(username string) accountTag {
	if username == "" {
		return accountTag{}
	}
	d := deviceToken{ID: r.session.Device.ID}
	return d.tagOf(username)
}

// beginning is a sign-in whose user is known, or one that waited and goes on.
type beginning struct {
	userID   string
	request  signInRequest
	replaces []string
	failures int
	checked  time.Time
	confirm  func(context.Context) error
	account  accountTag
}

// begin begins a session, or has it wait, and audits what became of it.
func (a *Auth) begin(ctx context.Context, b beginning) (Pair, error) {
	userID, req := b.userID, &b.request
	replaces, _ := openAll(a.openRefresh, b.replaces[:min(len(b.replaces), replacesCap)])
	for _, old := range replaces {
		if old.userID == userID {
			req.replaces = append(req.replaces, old.session)
		} else if err := a.endReplaced(ctx, old); err != nil {
			return Pair{}, err
		}
	}
	view := a.survey(ctx)
	defer view.close()
	type begun struct {
		signInOutcome
		pair   Pair
		failed error
	}
	var (
		looked *ID    // the ledger's version at the last look
		moment uint64 // no later than the session began
	)
	out, err := transact(view.within(ctx), a, userID, func(l Ledger, now time.Time) (begun, *Change) {
		var err error
		if looked != nil && *looked != l.Version && l.session(req.session.ID, now) == nil && l.pendingOf(req.session.ID, now) < 0 {
			// A session of this id may have begun and ended: the id is spent.
			if req.session.ID, err = newID(a.config.Random); err != nil {
				return begun{failed: ErrInternal.because(err)}, nil
			}
			looked = nil
		}
		if looked == nil {
			moment = a.feed.moments.Add(1)
		}
		looked = &l.Version
		if a.policy.judges() && req.fulfils.IsZero() && len(l.Sessions)+len(l.Devices) == 0 && a.outage.mode() == ModeMemory {
			return begun{failed: ErrStoreUnavailable.because(errTripped)}, nil // what the user's past is, the store alone knows
		}
		risk, place := view.assess(&l, &req.session, b.failures, now)
		req.session.Risk, req.session.Location, req.asn = risk, place.Location, place.ASN
		out, change := a.policy.signIn(l, *req, now)
		if !out.begins() {
			return begun{signInOutcome: out}, change
		}
		pair, err := a.pair(userID, &out.session, req.jti)
		if err != nil {
			return begun{failed: err}, nil // before anything is committed
		}
		return begun{signInOutcome: out, pair: pair}, change
	})
	committed := err
	mode, err := kept(err)
	if err = cmp.Or(err, out.failed); err != nil {
		return Pair{}, err
	}
	s := &req.session
	seen := Event{Mode: mode, UserID: userID, DeviceID: s.Device.ID, IP: s.IP, UserAgent: s.UserAgent, Risk: s.Risk, NotDurable: errors.Is(committed, ErrNotDurable)}
	switch {
	case out.spent:
		return Pair{}, a.refuseStepUp(ctx, seen)
	case out.denied:
		seen.Cause = ErrRiskDenied.Code
		a.audit(ctx, EventRiskDenied, seen)
		a.notify(EventRiskDenied, userID, &out.session)
		return Pair{}, ErrRiskDenied
	case out.refused:
		return Pair{}, a.refuseSignIn(ctx, seen, ErrTooManySessions)
	case out.waits && mode == ModeMemory: // nobody could complete it
		return Pair{}, ErrStoreUnavailable.because(errTripped)
	case out.waits:
		return a.keepWaiting(ctx, b, out.signInOutcome, seen)
	}
	if mode != ModeMemory { // else it is told when it is written, see transactApart
		a.auditEnded(ctx, userID, out.ended, committed)
	}
	if ordered := a.feed.spare(userID, &out.session, moment, b.checked); ordered || out.confirm {
		if err := a.confirm(ctx, b, out.session.ID); err != nil {
			return Pair{}, a.refuseSignIn(ctx, seen, err)
		}
	}
	seen.Session, seen.TokenHash, seen.Risk = out.session.ID, tokenHash(req.jti.String()), out.session.Risk
	a.audit(ctx, EventSignedIn, seen)
	if req.fulfils.IsZero() { // else the user was told when it began to wait
		a.notify(EventSignedIn, userID, &out.session)
	}
	out.pair.account = b.account
	return out.pair, nil
}

// refuseSignIn audits a sign-in that is refused, or that failed.
func (a *Auth) refuseSignIn(ctx context.Context, seen Event, err error) error {
	seen.Cause, seen.NotDurable = asError(err).Code, false // nothing stands
	a.audit(ctx, EventSignInRefused, seen)
	return err
}

// endReplaced ends the session of another user in the same browser. It is ended
// without the store only where the sign-in can go on without it.
func (a *Auth) endReplaced(ctx context.Context, old openToken) error {
	if a.outage.mode() != ModeMemory {
		_, err := a.end(ctx, old.userID, only(old.session), ReasonReplaced)
		_, err = kept(err)
		return err
	}
	_, err := a.endOne(ctx, old.userID, old.session, ReasonReplaced)
	_, err = kept(err)
	return err
}

// own returns the request in memory of its own. What it says is kept, and a string
// of some frameworks is a view of a buffer that the next request writes into.
func (r SignInRequest) own() SignInRequest {
	id := &r.Identity
	id.UserID = strings.Clone(id.UserID)
	id.Scopes, id.Roles, id.AMR = cloneList(id.Scopes, strings.Clone), cloneList(id.Roles, strings.Clone), cloneList(id.AMR, strings.Clone)
	r.Client = r.Client.own()
	return r
}

func (c Client) own() Client {
	for _, text := range []*string{
		&c.DeviceID, &c.DeviceName, &c.ClientType, &c.IP, &c.UserAgent,
		&c.Hints.Brands, &c.Hints.Mobile, &c.Hints.Platform,
	} {
		*text = strings.Clone(*text)
	}
	c.IP = cutText(c.IP, textCap)
	return c
}

// confirm has the app check a sign-in again, and ends its session if that fails.
// The session has begun by then: whatever is revoked from here on reaches it.
func (a *Auth) confirm(ctx context.Context, b beginning, session ID) error {
	refusal := b.confirmed(ctx)
	if refusal == nil {
		return nil
	}
	_, err := a.end(ctx, b.userID, only(session), ReasonOvertaken)
	_, err = kept(err)
	return cmp.Or(err, refusal)
}

// confirmed asks the app whether what it checked is still so.
func (b *beginning) confirmed(ctx context.Context) error {
	if b.confirm == nil {
		return ErrInvalidCredentials
	}
	err := b.confirm(ctx)
	if err == nil {
		return nil
	}
	return appError(err, ErrInvalidCredentials, ErrUserInactive, ErrStoreUnavailable)
}

// candidate makes the session that a sign-in wants.
func (a *Auth) candidate(r SignInRequest) (signInRequest, error) {
	id, client := r.Identity, r.Client
	if err := id.check(); err != nil {
		return signInRequest{}, ErrInternal.because(err)
	}
	claims, err := EncodeClaims(id.Claims)
	if err != nil {
		return signInRequest{}, ErrInternal.because(err)
	}
	if err := client.check(); err != nil {
		return signInRequest{}, err
	}
	if client.ClientType == "" {
		client.ClientType = "web"
	}
	var ids [3]ID
	for i := range ids {
		if ids[i], err = newID(a.config.Random); err != nil {
			return signInRequest{}, ErrInternal.because(err)
		}
	}
	if client.DeviceID == "" {
		client.DeviceID = ids[2].String()
	}
	program := client.program()
	if client.DeviceName == "" {
		client.DeviceName = program.Name()
	}
	return signInRequest{
		session: Session{
			ID: ids[0],
			Device: Device{
				ID:         client.DeviceID,
				Signed:     client.Signed,
				Name:       client.DeviceName,
				Type:       program.Kind,
				ClientType: client.ClientType,
				Browser:    program.Browser,
				OS:         program.OS,
			},
			IP:        client.IP,
			UserAgent: cutText(client.UserAgent, userAgentCap),
			AuthTime:  ledgerMoment(id.AuthTime),
			AMR:       id.AMR,
			Scopes:    id.Scopes,
			Roles:     id.Roles,
			Claims:    claims,
		},
		jti:     ids[1],
		checked: ledgerMoment(r.CheckedAt),
		stepUp:  id.StepUp,
	}, nil
}

// program returns what a client says that it is.
func (c *Client) program() agent.Agent { return agent.Parse(c.UserAgent, agent.Hints(c.Hints)) }

// ledgerMoment is ledgerTime, and leaves zero as it is.
func ledgerMoment(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return ledgerTime(t)
}

// check reports what a client says of itself that can't be kept.
func (c *Client) check() error {
	switch {
	case c.ClientType != "" && !validClientType(c.ClientType):
		return ErrBadRequest.saying("client_type must be 1 to 32 of a-z, 0-9, _ and -")
	case !validText(c.DeviceID):
		return errDeviceID
	case !validText(c.DeviceName):
		return ErrBadRequest.saying("device_name must be at most 128 bytes without control characters")
	}
	return nil
}

// check reports what makes an identity impossible to put into a token.
func (id *Identity) check() error {
	wrong := []error{checkUserID(id.UserID)}
	if t := id.AuthTime; !t.IsZero() && (t.Unix() <= 0 || t.Unix() > secondsMax) {
		wrong = append(wrong, fmt.Errorf("sallyport: Identity.AuthTime: %v is beyond what a token holds", t))
	}
	for _, scope := range id.Scopes {
		if !validScope(scope) {
			wrong = append(wrong, fmt.Errorf("sallyport: Identity.Scopes: %q is no scope (RFC 6749 section 3.3)", scope))
		}
	}
	size := 0
	for _, list := range [][]string{id.Scopes, id.Roles, id.AMR} {
		for _, word := range list {
			size += len(word)
			if word == "" || word != cutText(word, len(word)) {
				wrong = append(wrong, fmt.Errorf("sallyport: Identity: %q is empty, not UTF-8 or has control characters", word))
			}
		}
	}
	if size > 2048 {
		wrong = append(wrong, fmt.Errorf("sallyport: Identity: scopes, roles and amr take %d bytes together, more than 2048", size))
	}
	return errors.Join(wrong...)
}

// validText reports whether a client's word can be kept: at most textCap bytes
// of UTF-8 without control characters.
func validText(s string) bool {
	return len(s) <= textCap && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// cutText returns the first bytes of a header as UTF-8 without control characters.
func cutText(s string, most int) string {
	s = s[:min(len(s), most)]
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.In(c, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, ""))
}

// pair makes the tokens that a session answers with now.
func (a *Auth) pair(userID string, s *Session, jti ID) (Pair, error) {
	clock := a.now()
	now := ledgerTime(clock)
	issued, expires := a.policy.accessLife(s, now)
	access, err := a.ring.mint(&accessClaims{
		Issuer:     a.config.Issuer,
		Audience:   a.config.Audience,
		Subject:    userID,
		IssuedAt:   issued,
		ExpiresAt:  expires,
		AuthTime:   s.AuthTime,
		ID:         jti,
		Session:    s.ID,
		Serial:     s.Serial,
		Device:     s.Device.ID,
		DeviceType: s.Device.Type,
		ClientType: s.Device.ClientType,
		Scopes:     s.Scopes,
		Roles:      s.Roles,
		AMR:        s.AMR,
		App:        s.Claims,
	}, clock)
	if err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	refresh, err := a.secret.mintRefresh(refreshToken{Session: s.ID, Gen: s.Gen, User: userID}, clock)
	if err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	cookieUntil := s.RefreshExpiresAt
	if a.policy.refresh == Sliding {
		cookieUntil = s.AbsoluteExpiresAt // the cookie is not set again
	}
	left := func(until time.Time) time.Duration { return max(0, until.Sub(issued).Truncate(time.Second)) }
	return Pair{
		UserID:           userID,
		AccessToken:      access,
		ExpiresIn:        left(expires),
		RefreshToken:     refresh,
		RefreshExpiresIn: left(s.RefreshExpiresAt),
		Session:          *s,
		cookieLife:       min(left(cookieUntil), s.AbsoluteExpiresAt.Sub(now).Truncate(time.Second)), // no cookie outlives the session
	}, nil
}
