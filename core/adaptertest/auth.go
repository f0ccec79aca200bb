package adaptertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// auth is an Auth for guards to ask.
type auth struct {
	*core.Auth
	k *kit
}

// auth returns an Auth that has the case for itself.
func (k *kit) auth() auth {
	a, err := core.New(core.Config{
		Store: &ledgers{of: map[string]core.Ledger{}},
		Keys:  []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Authenticate: func(context.Context, core.Credentials) (core.Identity, error) {
			return core.Identity{}, core.ErrInvalidCredentials
		},
		Audit: func(context.Context, core.Event) {},
	})
	if err != nil {
		k.fatalf("core.New: %v", err)
	}
	k.finally(func() { a.Close() })
	return auth{a, k}
}

// signIn returns the Authorization line of a user who has just signed in.
func (a auth) signIn(user string) string { return a.signInAs(core.Identity{UserID: user}) }

func (a auth) signInAs(who core.Identity) string {
	pair, err := a.SignIn(a.k.ctx, core.SignInRequest{Identity: who})
	if err != nil {
		a.k.fatalf("signing %s in: %v", who.UserID, err)
	}
	return "Authorization: Bearer " + pair.AccessToken
}

// answerUser answers with the user that both the context and the adapter's
// Principal speak for.
func answerUser(ctx context.Context, p *core.Principal) core.Response {
	switch from := core.FromContext(ctx); {
	case from != p:
		return text(200, fmt.Sprintf("FromContext and Principal are not the same: %s, %s", name(from), name(p)))
	default:
		return text(200, "user "+name(p))
	}
}

// refusal is what core's own guard answers to a request with that header: what
// the adapter's guard is to answer.
func (a auth) refusal(optional bool, rules []core.Rule, lines ...string) core.Response {
	r := said{ctx: a.k.ctx, header: http.Header{}}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.header.Add(name, value)
	}
	guard := a.Guard(rules...)
	if optional {
		guard = a.OptionalGuard(rules...)
	}
	d := guard.Check(r)
	if d.Refusal == nil {
		a.k.fatalf("core.Guard lets %q in", clip(strings.Join(lines, " | ")))
	}
	return *d.Refusal
}

// said is a [core.Request] of a header alone.
type said struct {
	ctx    context.Context
	header http.Header
}

func (r said) Context() context.Context   { return r.ctx }
func (r said) Method() string             { return http.MethodGet }
func (r said) Host() string               { return "kit.example" }
func (r said) Header(name string) string  { return strings.Join(r.header.Values(name), ", ") }
func (r said) Cookies(string) []string    { return nil }
func (r said) Param(string) string        { return "" }
func (r said) Peer() netip.Addr           { return netip.Addr{} }
func (r said) Body(int64) ([]byte, error) { return nil, nil }

// name is whom a principal speaks for.
func name(p *core.Principal) string {
	if p == nil {
		return "nobody"
	}
	return p.UserID
}

// ledgers is the least of a store: it keeps no feed, and so an Auth asks it at
// every request.
type ledgers struct {
	mu sync.Mutex
	of map[string]core.Ledger
}

func (s *ledgers) Load(_ context.Context, user string) (core.Ledger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[user].Clone(), nil
}

func (s *ledgers) Commit(_ context.Context, user string, c core.Change) (core.Ledger, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch l := s.of[user]; l.Version {
	case c.If:
		s.of[user] = c.Apply(l)
		return core.Ledger{}, nil
	case c.ID:
		return core.Ledger{}, nil
	default:
		return l.Clone(), core.ErrConflict
	}
}

// Tail says that the feed has not begun. So it vouches for no token.
func (s *ledgers) Tail(ctx context.Context, after core.Cursor, wait time.Duration) (core.Batch, error) {
	if after != "" {
		rest := time.NewTimer(wait)
		defer rest.Stop()
		select {
		case <-ctx.Done():
			return core.Batch{}, ctx.Err()
		case <-rest.C:
		}
	}
	return core.Batch{Next: "none"}, nil
}
