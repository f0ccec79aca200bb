package core_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport-go/sallyport/core"
)

// scene is alice with two sessions, and what an operation on her may need.
type scene struct {
	*house
	store   *tap
	first   core.Pair // of the older session: spent
	second  core.Pair // its current one
	other   core.Pair // the newer session
	pending string    // a sign-in that waits
	score   int       // of whoever comes
	active  bool
}

func onScene(t *testing.T, test func(s *scene), changes ...func(*core.Config)) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{store: newTap(), active: true}
		s.house = open(t, s.store, append([]func(*core.Config){func(c *core.Config) {
			c.MaxSessions, c.Risk.Deny, c.Risk.StepUp, c.Risk.Notify = 2, 90, 80, -1
			c.Scorer = scored(&s.score)
			c.Active = func(context.Context, string) (bool, error) { return s.active, nil }
		}}, changes...)...)
		settle(s.house)
		s.first = s.signIn("alice")
		elapse(time.Second)
		s.other = s.signIn("alice")
		elapse(time.Minute)
		s.second = s.refresh(s.first)
		s.pending = s.waits("alice")
		elapse(time.Second)
		s.trail.take()
		test(s)
	})
}

// operation is one call. It makes one record of its own, if any, beside those of the
// sessions that begin or end by it.
type operation struct {
	name   string
	do     func(ctx context.Context, s *scene) error
	change func(*core.Config)
	err    error
	record string // name and cause
	// commits: the record tells of a commit, and so of how durable it is.
	commits bool
	// queued: it can wait for the store, with a record of that.
	queued bool
	ended  int
}

const admin = "root"

func user(id string) core.SignInRequest {
	return core.SignInRequest{Identity: core.Identity{UserID: id}, Client: core.Client{DeviceID: "new", IP: "192.0.2.9"}}
}

func refreshes(token func(*scene) string, device string) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		_, err := s.Refresh(ctx, core.RefreshRequest{Token: token(s), DeviceID: device})
		return err
	}
}

func first(s *scene) string  { return s.first.RefreshToken }
func second(s *scene) string { return s.second.RefreshToken }

func after(d time.Duration, do func(context.Context, *scene) error) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		<-time.After(d)
		return do(ctx, s)
	}
}

var operations = []operation{
	{name: "sign in", do: func(ctx context.Context, s *scene) error { _, err := s.SignIn(ctx, user("alice")); return err }, record: "signed_in", commits: true, ended: 1},
	{
		name: "sign in, refused", do: func(ctx context.Context, s *scene) error { _, err := s.SignIn(ctx, user("alice")); return err },
		change: func(c *core.Config) { c.SessionLimitPolicy = core.RefuseNew }, err: core.ErrTooManySessions, record: "sign_in_refused TOO_MANY_SESSIONS",
	},
	{name: "sign in, denied", do: func(ctx context.Context, s *scene) error {
		s.score = 90
		_, err := s.SignIn(ctx, user("alice"))
		return err
	}, err: core.ErrRiskDenied, record: "risk_denied RISK_DENIED"},
	{name: "sign in, waiting", do: func(ctx context.Context, s *scene) error {
		s.score = 80
		_, err := s.SignIn(ctx, user("alice"))
		return err
	}, err: core.ErrStepUpRequired, record: "step_up_required STEP_UP_REQUIRED", commits: true},
	{name: "sign in, replacing", do: func(ctx context.Context, s *scene) error {
		r := user("alice")
		r.Replaces = []string{s.second.RefreshToken}
		_, err := s.SignIn(ctx, r)
		return err
	}, record: "signed_in", commits: true, ended: 1},
	{name: "sign in, impossible", do: func(ctx context.Context, s *scene) error {
		r := user("alice")
		r.Client.DeviceID = "a\nb"
		_, err := s.SignIn(ctx, r)
		return err
	}, err: core.ErrBadRequest},
	{name: "step up", do: stepsUp(right), record: "signed_in", commits: true, ended: 1},
	{name: "step up, wrong", do: stepsUp(wrong), err: core.ErrStepUpInvalid, record: "step_up_refused INVALID_CREDENTIALS", commits: true},
	{name: "step up, failing", do: stepsUp(func(context.Context, string) ([]string, error) { return nil, errBroken }), err: core.ErrInternal},
	{name: "step up, nothing waits", do: func(ctx context.Context, s *scene) error {
		_, err := s.StepUp(ctx, core.StepUpRequest{Pending: "x", Client: dev, Verify: right})
		return err
	}, err: core.ErrStepUpInvalid, record: "step_up_refused INVALID_CREDENTIALS"},
	{
		name: "step up, inactive", do: func(ctx context.Context, s *scene) error { s.active = false; return stepsUp(right)(ctx, s) },
		err: core.ErrUserInactive, record: "sign_in_refused USER_INACTIVE",
	},
	{
		name: "step up, refused", do: stepsUp(right), change: func(c *core.Config) { c.SessionLimitPolicy = core.RefuseNew },
		err: core.ErrTooManySessions, record: "sign_in_refused TOO_MANY_SESSIONS",
	},

	{name: "refresh", do: after(11*time.Second, refreshes(second, "")), record: "refreshed", commits: true},
	{name: "refresh, sliding", do: after(11*time.Second, refreshes(second, "")), change: func(c *core.Config) { c.RefreshPolicy = core.Sliding }, record: "refreshed", commits: true},
	{name: "refresh, repeated", do: refreshes(second, ""), record: "refresh_repeated"},
	{name: "refresh, replayed", do: refreshes(first, ""), record: "refresh_replayed", commits: true},
	{name: "refresh, reused", do: func(ctx context.Context, s *scene) error {
		s.expectVerify(s.second, nil)
		elapse(time.Minute)
		return refreshes(first, "")(ctx, s)
	}, err: core.ErrRefreshTokenReused, record: "refresh_reused REFRESH_TOKEN_REUSED", commits: true, ended: 1},
	{name: "refresh, reused, and all end", do: func(ctx context.Context, s *scene) error {
		s.expectVerify(s.second, nil)
		elapse(time.Minute)
		return refreshes(first, "")(ctx, s)
	}, change: func(c *core.Config) { c.ReuseEndsAll = true }, err: core.ErrRefreshTokenReused, record: "refresh_reused REFRESH_TOKEN_REUSED", commits: true, ended: 2},
	{name: "refresh, on another device", do: refreshes(second, "another"), err: core.ErrDeviceMismatch, record: "device_mismatch DEVICE_MISMATCH"},
	{name: "refresh, not authentic", do: refreshes(func(*scene) string { return "x" }, ""), err: core.ErrRefreshTokenInvalid, record: "refresh_refused REFRESH_TOKEN_INVALID"},
	{name: "refresh, none", do: refreshes(func(*scene) string { return "" }, ""), err: core.ErrRefreshTokenMissing},
	{name: "refresh, inactive", do: after(11*time.Second, func(ctx context.Context, s *scene) error {
		s.active = false
		return refreshes(second, "")(ctx, s)
	}), err: core.ErrUserInactive, record: "refresh_refused USER_INACTIVE", commits: true, ended: 1},

	{name: "revoke", do: func(ctx context.Context, s *scene) error {
		return s.Revoke(ctx, "alice", s.other.Session.ID, core.ReasonRevokedByAdmin)
	}, queued: true, ended: 1},
	{name: "revoke nothing", do: func(ctx context.Context, s *scene) error {
		return s.Revoke(ctx, "alice", core.ID{9}, core.ReasonRevokedByAdmin)
	}, err: core.ErrSessionNotFound, queued: true},
	{name: "revoke others", do: func(ctx context.Context, s *scene) error {
		_, err := s.RevokeOthers(ctx, "alice", s.other.Session.ID, core.ReasonPasswordChanged)
		return err
	}, queued: true, ended: 1},
	{name: "revoke all", do: func(ctx context.Context, s *scene) error {
		_, err := s.RevokeAll(ctx, "alice", core.ReasonRevokedByAdmin)
		return err
	}, queued: true, ended: 2},
	{name: "trim", do: func(ctx context.Context, s *scene) error { _, err := s.Trim(ctx, "alice", 1); return err }, ended: 1},
	{name: "trim nothing", do: func(ctx context.Context, s *scene) error { _, err := s.Trim(ctx, "alice", 5); return err }},
	{name: "sign out", do: func(ctx context.Context, s *scene) error { _, err := s.SignOut(ctx, s.second.AccessToken); return err }, queued: true, ended: 1},
	{name: "sign out of both", do: func(ctx context.Context, s *scene) error {
		_, err := s.SignOut(ctx, s.second.AccessToken, s.other.RefreshToken, s.first.RefreshToken)
		return err
	}, queued: true, ended: 2},
	{name: "sign out everywhere", do: func(ctx context.Context, s *scene) error {
		_, err := s.SignOutAll(ctx, s.second.AccessToken)
		return err
	}, queued: true, ended: 2},
	{
		name: "revoke a token", do: func(ctx context.Context, s *scene) error {
			_, err := s.RevokeToken(ctx, s.second.AccessToken)
			return err
		},
		record: "access_token_revoked", commits: true, queued: true,
	},
	{name: "revoke a refresh token", do: func(ctx context.Context, s *scene) error {
		_, err := s.RevokeToken(ctx, s.second.RefreshToken)
		return err
	}, queued: true, ended: 1},
	{name: "forget", do: func(ctx context.Context, s *scene) error { return s.Forget(ctx, "alice") }, record: "user_forgotten", commits: true, queued: true, ended: 2},
}

func stepsUp(verify func(context.Context, string) ([]string, error)) func(context.Context, *scene) error {
	return func(ctx context.Context, s *scene) error {
		_, err := s.StepUp(ctx, core.StepUpRequest{Pending: s.pending, Client: dev, Verify: verify})
		return err
	}
}

// mishap is what happens to the first commit that an operation makes.
type mishap struct {
	name string
	at   func(t *testing.T, store *tap, do func() error) error
	weak bool // the commit is not durable
}

var mishaps = []mishap{
	{name: "none", at: func(_ *testing.T, _ *tap, do func() error) error { return do() }},
	{name: "not durable", at: func(_ *testing.T, _ *tap, do func() error) error { return errors.Join(do(), core.ErrNotDurable) }, weak: true},
	{name: "the reply lost", at: func(_ *testing.T, _ *tap, do func() error) error { return errors.Join(do(), errBroken) }},
	{name: "not done", at: func(*testing.T, *tap, func() error) error { return errBroken }},
	{name: "a conflict", at: func(t *testing.T, store *tap, do func() error) error { over(t, store, "alice", 4); return do() }},
	{name: "not done, and others", at: func(t *testing.T, store *tap, _ func() error) error { over(t, store, "alice", 5); return errBroken }},
}

// P37: each outcome makes one record, each session that begins or ends one, and what did
// not happen none; each says who did it, what was answered, and how durable it is.
func TestOneRecordOfEach(t *testing.T) {
	for _, op := range operations {
		for _, f := range mishaps {
			t.Run(op.name+", "+f.name, func(t *testing.T) {
				onScene(t, func(s *scene) {
					before := s.store.ledger(t, "alice")
					commits, weak := 0, 0
					s.store.set(func(call string, do func() error) error {
						switch call {
						case "tail":
							return errBroken // nothing but the answer of the commit is known
						case "commit":
							if commits++; f.weak {
								weak++
								return f.at(t, s.store, do)
							}
							if commits == 1 {
								return f.at(t, s.store, do)
							}
						}
						return do()
					})
					err := op.do(core.WithActor(t.Context(), admin), s)
					s.store.set(nil)
					if op.err == nil && err != nil && !(f.weak && errors.Is(err, core.ErrNotDurable)) || op.err != nil && !errors.Is(err, op.err) {
						t.Errorf("%v, want %v", err, op.err)
					}
					s.expectRecords(t, op, before, weak > 0)
				}, changes(op)...)
			})
		}
	}
}

func changes(op operation) []func(*core.Config) {
	if op.change == nil {
		return nil
	}
	return []func(*core.Config){op.change}
}

// expectRecords compares the records with the ledgers before and after.
func (s *scene) expectRecords(t *testing.T, op operation, before core.Ledger, weak bool) {
	t.Helper()
	now := time.Now()
	after := s.store.ledger(t, "alice")
	had := func(l core.Ledger, id core.ID) bool {
		return slices.ContainsFunc(l.Sessions, func(o core.Session) bool { return o.ID == id && now.Before(o.ExpiresAt) })
	}
	ended, begun := map[core.ID]int{}, map[core.ID]int{}
	for _, o := range before.Sessions {
		if had(before, o.ID) && !had(after, o.ID) {
			ended[o.ID] = 0
		}
	}
	for _, o := range after.Sessions {
		if !had(before, o.ID) {
			begun[o.ID] = 0
		}
	}
	if len(ended) != op.ended {
		t.Errorf("%d sessions ended, want %d", len(ended), op.ended)
	}
	var own []string
	for _, e := range s.trail.events {
		wellFormed(t, e)
		if e.By != admin {
			t.Errorf("%s is by %q, want %q", e.Name, e.By, admin)
		}
		if e.UserID != "alice" && e.UserID != "" {
			t.Errorf("%s is about %q", e.Name, e.UserID)
		}
		if e.NotDurable != (weak && (e.Name == core.EventSessionEnded || op.commits)) {
			t.Errorf("%s: not durable %v", e.Name, e.NotDurable)
		}
		if e.Name == core.EventSessionEnded {
			if _, did := ended[e.Session]; !did || e.Reason == "" || e.Cause != "" {
				t.Errorf("record %+v of a session that has not ended", e)
			}
			ended[e.Session]++
			continue
		}
		if e.Name == core.EventSignedIn {
			if _, did := begun[e.Session]; !did || e.TokenHash == "" {
				t.Errorf("record %+v of a session that has not begun", e)
			}
			begun[e.Session]++
		}
		own = append(own, strings.TrimSpace(string(e.Name)+" "+e.Cause))
	}
	for id, n := range ended {
		if n != 1 {
			t.Errorf("%d records of the end of %v", n, id)
		}
	}
	for id, n := range begun {
		if n != 1 {
			t.Errorf("%d records of the beginning of %v", n, id)
		}
	}
	var want []string
	if op.record != "" {
		want = []string{op.record}
	}
	if !slices.Equal(own, want) {
		t.Errorf("records %q, want %q", own, want)
	}
}

// wellFormed checks what every record keeps to.
func wellFormed(t *testing.T, e core.Event) {
	t.Helper()
	if e.Time.IsZero() || e.Name == "" {
		t.Errorf("record %+v", e)
	}
	for _, text := range []string{string(e.Name), e.UserID, string(e.Reason), e.DeviceID, e.IP, e.UserAgent, e.TokenHash, string(e.Mode), e.Cause, e.By} {
		if !utf8.ValidString(text) || len(text) > 2048 || strings.ContainsFunc(text, func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
		}) {
			t.Errorf("%s: raw text %q", e.Name, text)
		}
	}
}

// P37: while the store is away what can wait makes one record of that, and nothing else
// makes one; when it is back each end makes one, by whoever asked for it.
func TestOneRecordOfEachInAnOutage(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			onScene(t, func(s *scene) {
				s.lossy = true
				before := s.store.ledger(t, "alice")
				var calls atomic.Int64
				s.store.set(func(call string, do func() error) error {
					if call != "tail" {
						calls.Add(1)
					}
					return errBroken
				})
				err := op.do(core.WithActor(t.Context(), admin), s)
				s.trail.mu.Lock()
				events := slices.DeleteFunc(slices.Clone(s.trail.events), func(e core.Event) bool { return e.Name == core.EventModeChanged })
				s.trail.events = nil
				s.trail.mu.Unlock()
				if calls.Load() == 0 || !errors.Is(err, core.ErrStoreUnavailable) {
					return // it was decided without the store: see TestOneRecordOfEach
				}
				queued := 0
				for _, e := range events {
					if e.Name != core.EventRevocationQueued || e.By != admin || e.UserID != "alice" || e.Reason == "" {
						t.Errorf("record %+v", e)
					}
					queued++
				}
				if op.queued != (queued > 0) || op.queued != errors.Is(err, core.ErrNotDurable) || queued > max(1, op.ended) {
					t.Errorf("%d records, answered %v", queued, err)
				}
				s.store.set(nil)
				elapse(5 * time.Second)
				s.trail.mu.Lock()
				s.trail.events = slices.DeleteFunc(s.trail.events, func(e core.Event) bool { return e.Name == core.EventModeChanged })
				s.trail.mu.Unlock()
				late := operation{}
				if op.queued {
					late = op
				}
				s.expectRecords(t, late, before, false)
			}, changes(op)...)
		})
	}
}

// Who does something to himself is not By: what is kept of a forgotten user names nobody.
func TestAuditByOneself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newTap())
		if err := h.Forget(core.WithActor(t.Context(), "root"), "root"); err != nil {
			t.Fatal(err)
		}
		got := h.trail.of(core.EventUserForgotten)
		if len(got) != 1 || got[0].By != "" {
			t.Errorf("got %+v", got)
		}
	})
}
