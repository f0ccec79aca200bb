package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	outsideMost = 64 // calls of one thing outside that are under way at once
	placesMost  = 8  // addresses of a user's past that are resolved
	scoresMost  = 8  // answers of a Scorer to one sign-in, whose ledger moves on meanwhile
	reasonsMost = 16
	locationCap = 64  // bytes of a city's name
	reasonCap   = 200 // bytes of a reason's detail
)

var errOutsideBusy = errors.New("sallyport: too many calls are under way that do not return")

// survey finds out what is to be known of one sign-in or refresh beside the ledger:
// places, and the score. All its calls together take RiskPolicy.Timeout at most.
type survey struct {
	auth   *Auth
	ctx    context.Context
	left   time.Duration    // of RiskPolicy.Timeout: the store's time is not theirs
	places map[string]Place // by address; zero if the Resolver had no answer
	failed error            // the first failure of the Resolver or the Scorer

	scored   Risk // what the Scorer said last
	scoredOn ID   // the version of that ledger
	scores   int  // times that it said something
	scorer   bool // it failed, and is not asked again
}

func (a *Auth) survey(ctx context.Context) *survey {
	return &survey{auth: a, ctx: context.WithoutCancel(ctx), left: a.config.Risk.Timeout}
}

// longer is the key of how much longer than the store may take a transaction may.
type longer struct{}

// within is a context for a transaction in which the survey is made.
func (v *survey) within(ctx context.Context) context.Context {
	if v.auth.config.Resolver == nil && v.auth.config.Scorer == nil {
		return ctx
	}
	return context.WithValue(ctx, longer{}, v.left)
}

// close audits what failed in the survey.
func (v *survey) close() {
	if v.failed != nil {
		v.auth.audit(v.ctx, EventFailed, Event{Err: v.failed})
	}
}

// place returns where an address seems to be.
func (v *survey) place(ip string) Place {
	resolver := v.auth.config.Resolver
	if place, known := v.places[ip]; known || resolver == nil {
		return place
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return Place{}
	}
	place, _ := ask(v, "Resolver", v.auth.resolving, func(ctx context.Context) (Place, error) { return resolver.Resolve(ctx, plain(addr)) })
	place.Country, place.City = strings.Clone(cutText(place.Country, locationCap)), strings.Clone(cutText(place.City, locationCap))
	place.Located = place.located()
	if v.places == nil {
		v.places = make(map[string]Place)
	}
	v.places[ip] = place
	return place
}

// assess sets where a session is, and scores it: how unusual it is for its user.
func (v *survey) assess(l *Ledger, s *Session, failures int, now time.Time) (Risk, Place) {
	place := v.place(s.IP)
	if i := slices.IndexFunc(l.Networks, func(n KnownNetwork) bool { return n.Prefix == networkOf(s.IP) }); i >= 0 {
		// Who does not answer takes nothing away from what is known.
		place.ASN, place.Location = cmp.Or(place.ASN, l.Networks[i].ASN), cmp.Or(place.Location, l.Networks[i].Location)
	}
	e := Evidence{
		Now:        now,
		Device:     s.Device,
		IP:         s.IP,
		Place:      place,
		Past:       v.past(l, now),
		Networks:   l.Networks,
		SignIns:    l.SignIns,
		ReusedAt:   l.ReusedAt,
		ReplayedAt: l.replayedAt(),
		Failures:   failures,
	}
	scorer := v.auth.config.Scorer
	switch {
	case scorer == nil, v.scorer:
		return Score(e), place
	case v.scores > 0 && (v.scoredOn == l.Version || v.scores == scoresMost):
		return v.scored, place
	}
	theirs := e // one that goes on after its time may write there
	theirs.Past, theirs.Networks, theirs.SignIns = slices.Clone(e.Past), slices.Clone(e.Networks), slices.Clone(e.SignIns)
	risk, ok := ask(v, "Scorer", v.auth.scoring, func(ctx context.Context) (Risk, error) {
		r, err := scorer.Score(ctx, theirs)
		if err == nil && (r.Score < 0 || r.Score > 100) {
			err = fmt.Errorf("its score, %d, is not between 0 and 100", r.Score)
		}
		return r.clean(), err
	})
	if !ok {
		v.scorer = true
		return Score(e), place
	}
	v.scored, v.scoredOn = risk, l.Version
	v.scores++
	return risk, place
}

// ask makes a call in the time that is left. It reports false if there is no answer.
func ask[T any](v *survey, what string, slots chan struct{}, call func(context.Context) (T, error)) (T, bool) {
	ctx, cancel := context.WithTimeout(v.ctx, v.left)
	defer cancel()
	start := time.Now()
	answer, err := outside(ctx, slots, call)
	v.left -= time.Since(start)
	if err != nil {
		v.fail(what, err)
	}
	return answer, err == nil
}

func (v *survey) fail(what string, err error) {
	if v.failed == nil {
		v.failed = fmt.Errorf("sallyport: Config.%s: %w", what, err)
	}
}

// past returns where and on what a user was seen, the latest first. A session of a high
// risk may be a thief's.
func (v *survey) past(l *Ledger, now time.Time) []Sighting {
	var out []Sighting
	for i := range l.Sessions {
		s := &l.Sessions[i]
		if s.live(now) && !reaches(s.Risk.Score, riskHigh) { // a stolen token makes no place familiar
			out = append(out, Sighting{s.Device, s.CreatedAt, s.LastSeenAt, s.IP, Place{Location: s.Location}})
		}
	}
	for i := range l.Devices {
		d := &l.Devices[i]
		out = append(out, Sighting{d.Device, d.FirstSeenAt, d.LastSeenAt, d.IP, Place{Location: d.Location}})
	}
	slices.SortStableFunc(out, func(a, b Sighting) int { return b.LastSeenAt.Compare(a.LastSeenAt) })
	asked := make(map[string]bool, placesMost)
	for i := range out {
		ip := out[i].IP
		if len(asked) == placesMost && !asked[ip] {
			continue
		}
		asked[ip] = true
		if place := v.place(ip); place != (Place{}) {
			out[i].Place = place
		}
	}
	return out
}

// replayedAt returns when a refresh token was presented late and forgiven last.
func (l *Ledger) replayedAt() time.Time {
	var at time.Time
	for i := range l.Sessions {
		for _, t := range l.Sessions[i].LateReplays {
			at = latest(at, t)
		}
	}
	return at
}

// clean returns a score that another made as one that can be kept and shown.
func (r Risk) clean() Risk {
	out := Risk{Score: min(max(r.Score, 0), 100)}
	for _, reason := range r.Reasons[:min(len(r.Reasons), reasonsMost)] {
		if !validClientType(reason.Code) {
			continue
		}
		out.Reasons = append(out.Reasons, RiskReason{
			Code:   strings.Clone(reason.Code),
			Points: min(max(reason.Points, 0), 100),
			Detail: strings.Clone(cutText(reason.Detail, reasonCap)),
		})
	}
	return out
}

// outside makes a call that may fail, panic or never return, as long as slots are
// free. It returns when ctx ends at the latest; the call may go on.
func outside[T any](ctx context.Context, slots chan struct{}, call func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	select {
	case slots <- struct{}{}:
	default:
		return none, errOutsideBusy
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-slots }()
		out := result{err: errors.New("it ended its goroutine")}
		defer func() {
			if p := recover(); p != nil {
				out = result{err: fmt.Errorf("it panicked: %v", p)}
			}
			done <- out
		}()
		out.value, out.err = call(ctx)
	}()
	select {
	case r := <-done:
		if r.err != nil {
			r.value = none
		}
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
