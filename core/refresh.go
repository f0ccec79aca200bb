package core

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
)

// RefreshRequest presents a refresh token.
type RefreshRequest struct {
	Token    string
	DeviceID string // of the device that presents it; "": not said
	Client   Client // only IP, UserAgent and Hints are looked at
}

// Refresh answers a refresh token with new tokens. See [Config.Grace] for what
// happens to a token that comes twice. It asks [Config.Active] first.
//
// Errors: ErrRefreshTokenMissing, ErrRefreshTokenInvalid (not one of ours; the
// store was not asked), ErrRefreshTokenExpired, ErrSessionEnded,
// ErrDeviceMismatch, ErrUserInactive (the session has ended),
// ErrRefreshTokenReused (the session has ended), ErrStoreUnavailable,
// ErrInternal. The client keeps its token after every one of them: a better one
// may be on its way.
func (a *Auth) Refresh(ctx context.Context, r RefreshRequest) (Pair, error) {
	r.DeviceID, r.Client = strings.Clone(r.DeviceID), r.Client.own()
	seen := Event{DeviceID: r.DeviceID, IP: r.Client.IP, UserAgent: cutText(r.Client.UserAgent, userAgentCap)}
	if r.Token == "" {
		return Pair{}, ErrRefreshTokenMissing
	}
	token, err := a.secret.openRefresh(r.Token)
	if err != nil {
		seen.Cause = asError(err).Code
		a.audit(ctx, EventRefreshRefused, seen)
		return Pair{}, err
	}
	seen.UserID, seen.Session = token.User, token.Session
	jti, err := newID(a.config.Random)
	if err != nil {
		return Pair{}, ErrInternal.because(err)
	}
	req := refreshRequest{session: token.Session, gen: token.Gen, device: r.DeviceID, ip: r.Client.IP, agent: seen.UserAgent, jti: jti}
	active, failed := a.config.Active(ctx, token.User)

	type answer struct {
		refreshOutcome
		pair    Pair
		failed  error
		raised  bool // the session's score
		crossed bool // it is one of which the user hears now
	}
	view := a.survey(ctx)
	defer view.close()
	out, err := transact(view.within(ctx), a, token.User, func(l Ledger, now time.Time) (answer, *Change) {
		s := cmp.Or(l.session(token.Session, now), &Session{ID: token.Session, CreatedAt: now})
		if why, known := a.feed.ended(token.User, s); known {
			// If it lives, the store has lost its end, or not taken it yet.
			ended, change := endSessions(l, only(token.Session), why, now)
			return answer{refreshOutcome: refreshOutcome{verdict: refreshEnded, ended: endings(ended, why), known: true}}, change
		}
		req := req
		was := s.Risk
		if device, moved := r.Client.movedFrom(s); moved && req.gen >= s.Gen {
			there := Session{IP: cmp.Or(r.Client.IP, s.IP), Device: device}
			req.moved, req.program = true, device
			risk, place := view.assess(&l, &there, 0, now)
			req.risk, req.location, req.asn = risk, place.Location, place.ASN
		}
		out, change := a.policy.refreshSession(l, req, now)
		switch {
		case !out.verdict.granted():
			return answer{refreshOutcome: out}, change // a refusal needs no opinion of the app's
		case failed != nil:
			return answer{failed: ErrInternal.because(failed)}, nil
		case !active:
			ended, change := endSessions(l, only(token.Session), ReasonUserInactive, now)
			out = refreshOutcome{verdict: refreshInactive, session: out.session, ended: endings(ended, ReasonUserInactive)}
			return answer{refreshOutcome: out}, change
		}
		pair, err := a.pair(token.User, &out.session, jti)
		if err != nil {
			return answer{failed: err}, nil // before anything is committed
		}
		pair.Same = out.session.Gen == token.Gen
		is := out.session.Risk
		crossed := is.crosses(a.policy.notify, was) || is.crosses(riskHigh, was)
		raised := crossed || is.Score > was.Score && is.Score >= riskMedium
		return answer{refreshOutcome: out, pair: pair, raised: raised, crossed: crossed}, change
	})
	committed := err
	seen.NotDurable = errors.Is(err, ErrNotDurable)
	seen.Mode, err = kept(err)
	if err = cmp.Or(err, out.failed); err != nil {
		return Pair{}, err
	}
	name, refusal := out.verdict.means()
	if refusal != nil {
		seen.Cause = asError(refusal).Code
	}
	a.audit(ctx, name, seen)
	if seen.Mode != ModeMemory { // else it is told when it is written, see transactApart
		a.auditEnded(ctx, token.User, out.ended, committed)
	}
	if refusal != nil {
		return Pair{}, refusal
	}
	if out.raised {
		seen.Risk = out.session.Risk
		a.audit(ctx, EventRiskRaised, seen)
	}
	if out.crossed {
		a.notify(EventRiskRaised, token.User, &out.session)
	}
	if out.verdict == refreshRepeated {
		a.uses.note(a.uses.of(token.Session), token.User, use{session: token.Session, gen: token.Gen, at: ledgerTime(a.now())})
	}
	return out.pair, nil
}

// movedFrom reports whether a client is in another network than a session was, or another
// kind of program on another system, and what the session's device then is.
func (c *Client) movedFrom(s *Session) (Device, bool) {
	device := s.Device
	moved := c.IP != "" && c.IP != s.IP && networkOf(c.IP) != networkOf(s.IP)
	if c.UserAgent != "" && cutText(c.UserAgent, userAgentCap) != s.UserAgent {
		program := c.program()
		if differ(program.Browser, device.Browser) || differ(program.OS, device.OS) {
			device.Browser, device.OS, device.Type = program.Browser, program.OS, program.Kind
			moved = true
		}
	}
	return device, moved
}

// sure implements sure: the same token again, a device that stays another, and an end
// that is known here.
func (o refreshOutcome) sure() bool {
	return o.known || o.verdict == refreshRepeated || o.verdict == refreshMismatch
}

// granted reports whether a verdict answers with tokens.
func (v refreshVerdict) granted() bool { return v >= refreshRepeated }

// means returns the record that a verdict is audited as, and the refusal that
// it is answered with, if it is one.
func (v refreshVerdict) means() (EventName, error) {
	switch v {
	case refreshExpired:
		return EventRefreshRefused, ErrRefreshTokenExpired
	case refreshMismatch:
		return EventDeviceMismatch, ErrDeviceMismatch
	case refreshReused:
		return EventReused, ErrRefreshTokenReused
	case refreshInactive:
		return EventRefreshRefused, ErrUserInactive
	case refreshRepeated:
		return EventRepeated, nil
	case refreshRotated, refreshSlid:
		return EventRefreshed, nil
	case refreshReplayed:
		return EventReplayed, nil
	case refreshReplayedLate:
		return EventReplayedLate, nil
	case refreshRecovered:
		return EventRecovered, nil
	default:
		return EventRefreshRefused, ErrSessionEnded
	}
}
