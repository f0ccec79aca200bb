package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pendingToken names a sign-in that waits for a second factor. It opens nothing else.
// Its text is "sppt_" and base64url, without padding, of
//
//	byte 0       version, 1
//	bytes 1-4    id of the secret (HKDF-SHA256)
//	bytes 5-20   id of what waits
//	bytes 21-28  what the device is to remember of the user's name; zero: nothing
//	then         user id, 1-255 bytes of UTF-8, as far as the MAC
//	last 32      HMAC-SHA-256 of "sppt_" and all bytes before
type pendingToken struct {
	ID      ID
	Account accountTag
	User    string
}

func (r *secretRing) mintPending(t pendingToken, now time.Time) (string, error) {
	return r.seal(pendingKind, slices.Concat(t.ID[:], t.Account[:], []byte(t.User)), now)
}

// openPending reads what a ring with the same secret wrote.
func (r *secretRing) openPending(s string) (pendingToken, error) {
	body, err := r.open(pendingKind, s)
	if err != nil {
		return pendingToken{}, err
	}
	user := body[idSize+len(accountTag{}):]
	t := pendingToken{ID(body), accountTag(body[idSize:]), string(user)}
	if t.ID.IsZero() || checkUserID(t.User) != nil {
		return pendingToken{}, errSealedBody
	}
	return t, nil
}

// StepUpRequest completes a sign-in that waits for a second factor.
type StepUpRequest struct {
	// Pending is what ErrStepUpRequired came with.
	Pending string
	// Client is who completes it. Its DeviceID has to be that of the sign-in, and Signed
	// if that was; a client without a word for itself needs none here. What it says beside
	// that is not looked at: what begins is what waited.
	Client Client
	// Replaces is as in [SignInRequest].
	Replaces []string
	// Verify looks at the second factor of a user, and says how it was proved, for the
	// claim "amr": "otp", "hwk" (RFC 8176). ErrInvalidCredentials: it is wrong. Any
	// other error, or a panic, is a failure, answered with 500. It has to see that a code is good
	// once (RFC 6238 section 5.2). It is called at most five times for a sign-in.
	Verify func(ctx context.Context, userID string) (amr []string, err error)

	devices []deviceToken // that the request presents, if not the Client's alone
}

// StepUp begins the session of a sign-in that waited, once its second factor is right:
// within five minutes, on the same device, once. Until then nothing of it opens
// anything. An attempt counts before Verify is called, so that of many at once no more
// are looked at than of one after the other.
//
// Errors: ErrStepUpInvalid (a wrong factor, or a sign-in that waits no longer, was
// tried too often, or was begun on another device or before all of the user's sessions
// were ended), ErrUserInactive, ErrTooManyRequests, ErrTooManySessions,
// ErrStoreUnavailable, also while users are served from memory, ErrInternal.
func (a *Auth) StepUp(ctx context.Context, r StepUpRequest) (Pair, error) {
	r.Client = r.Client.own()
	seen := Event{DeviceID: r.Client.DeviceID, IP: r.Client.IP, UserAgent: cutText(r.Client.UserAgent, userAgentCap)}
	token, err := a.secret.openPending(r.Pending)
	if err != nil {
		return Pair{}, a.refuseStepUp(ctx, seen)
	}
	seen.UserID = token.User
	if err := a.limit(ctx, &a.limits.stepUp, "\x00"+token.ID.String(), seen); err != nil {
		return Pair{}, err
	}
	inStore := context.WithValue(ctx, toStore{}, true) // used up in one place alone
	var device Device
	try, err := transact(inStore, a, token.User, func(l Ledger, now time.Time) (out attemptOutcome, _ *Change) {
		device = Device{ID: r.Client.DeviceID, Signed: r.Client.Signed}
		out, _ = attempt(l, token.ID, device, now)
		for i := 0; out.device && i < len(r.devices); i++ {
			device = Device{ID: r.devices[i].ID, Signed: r.devices[i].Signed}
			out, _ = attempt(l, token.ID, device, now)
		}
		return out, nil
	})
	if err != nil {
		return Pair{}, err
	}
	if try.spent || try.device { // who keeps a dead one uses up nothing of the user's
		return Pair{}, a.refuseStepUp(ctx, seen)
	}
	if err := a.limit(ctx, &a.limits.stepUp, token.User, seen); err != nil {
		return Pair{}, err
	}
	try, err = transact(inStore, a, token.User, func(l Ledger, now time.Time) (attemptOutcome, *Change) {
		return attempt(l, token.ID, device, now)
	})
	seen.NotDurable = errors.Is(err, ErrNotDurable)
	if _, err = kept(err); err != nil {
		return Pair{}, err
	}
	if try.spent || try.device {
		return Pair{}, a.refuseStepUp(ctx, seen)
	}
	amr, err := r.verified(ctx, token.User)
	if errors.Is(err, ErrInvalidCredentials) {
		return Pair{}, a.refuseStepUp(ctx, seen)
	}
	if err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	if err := (&Identity{UserID: token.User, AMR: amr}).check(); err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	switch active, err := a.config.Active(ctx, token.User); {
	case err != nil:
		return Pair{}, ErrInternal.because(err)
	case !active:
		return Pair{}, a.refuseSignIn(ctx, seen, ErrUserInactive)
	}
	req := signInRequest{session: try.session.Clone(), fulfils: token.ID}
	req.session.AMR = cloneList(amr, strings.Clone)
	for _, id := range []*ID{&req.session.ID, &req.jti} {
		if *id, err = newID(a.config.Random); err != nil {
			return Pair{}, ErrInternal.because(err)
		}
	}
	return a.begin(inStore, beginning{
		userID:   token.User,
		request:  req,
		replaces: r.Replaces,
		checked:  try.session.CreatedAt,
		account:  token.Account,
	})
}

// verified calls Verify.
func (r *StepUpRequest) verified(ctx context.Context, userID string) (amr []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sallyport: StepUpRequest.Verify panicked: %v", p)
		}
	}()
	return r.Verify(ctx, userID)
}

// StepUpForm is a second factor over HTTP.
type StepUpForm struct {
	Pending  string // see [StepUpRequest]
	DeviceID string // the client's own word, if it has one
	Delivery string // see [SignInForm]
	Verify   func(ctx context.Context, userID string) (amr []string, err error)
}

// StepUpFrom is [Auth.StepUp] for whoever sent a request, as [Auth.SignInFrom] is
// SignIn.
func (a *Auth) StepUpFrom(r Request, f StepUpForm) (Pair, http.Header, error) {
	if err := a.sameSite(r); err != nil {
		return Pair{}, nil, err
	}
	form := SignInForm{DeviceID: f.DeviceID, Delivery: f.Delivery}
	client, device, err := a.formClient(r, &form)
	if err != nil {
		return Pair{}, nil, err
	}
	presented := a.presentedRefresh(r)
	pair, err := a.StepUp(r.Context(), StepUpRequest{
		Pending: f.Pending, Client: client, Replaces: presented, Verify: f.Verify, devices: a.deviceCookies(r),
	})
	if err != nil {
		return Pair{}, nil, err
	}
	return a.deliver(pair, f.Delivery, presented, device)
}

// keepWaiting answers a sign-in that waits for its second factor.
func (a *Auth) keepWaiting(ctx context.Context, b beginning, out signInOutcome, seen Event) (Pair, error) {
	if out.confirm {
		if err := b.confirmed(ctx); err != nil {
			drop := func(l Ledger, now time.Time) (struct{}, *Change) {
				return struct{}{}, dropPending(l, b.request.session.ID, now)
			}
			_, failed := transact(ctx, a, b.userID, drop)
			_, failed = kept(failed)
			return Pair{}, a.refuseSignIn(ctx, seen, cmp.Or(failed, err))
		}
	}
	token, err := a.secret.mintPending(pendingToken{b.request.session.ID, b.account, b.userID}, a.now())
	if err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	seen.Cause = ErrStepUpRequired.Code
	a.audit(ctx, EventStepUpRequired, seen)
	a.notify(EventStepUpRequired, b.userID, &out.session)
	e := *ErrStepUpRequired
	e.Pending, e.ExpiresIn = token, pendingLasts
	return Pair{Session: Session{Device: out.session.Device}, account: b.account}, &e
}

// refuseStepUp audits a second factor that is refused. Why is not said: whoever tries
// codes learns nothing.
func (a *Auth) refuseStepUp(ctx context.Context, seen Event) error {
	seen.Cause = ErrStepUpInvalid.Code
	a.audit(ctx, EventStepUpRefused, seen)
	return ErrStepUpInvalid
}
