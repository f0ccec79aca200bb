package sqlstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// Statements of what is asked of an Auth, BEGIN and COMMIT among them, by a process that
// has seen the user's ledger and by one that has not. MariaDB takes one more than the
// others to publish, since no UPDATE there answers with what it wrote.
func TestStatements(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		s, err := sqlstore.New(openTraced(t, d), dialects[engine], sqlstore.Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		more := 0
		if engine == "mariadb" {
			more = 1
		}
		keys := newKeys()
		home, elsewhere := start(t, keys, s), start(t, keys, s)
		const (
			load    = 1
			commit  = 2 // BEGIN and COMMIT
			ledger  = 1
			session = 1 // of each that is put; those that end take one together
			devices = 2 // to drop them, and to write the one there is
		)
		publish := 2 + more // the position, and what is published
		begin := session
		if engine == "sqlite" {
			begin++ // it looks for one that goes on first, since to write over all columns writes all indexes
		}
		for _, tt := range []struct {
			name           string
			known, unknown int
			do             func(ctx context.Context, p *app, pair core.Pair) error
		}{
			{"sessions", load, load, func(ctx context.Context, p *app, pair core.Pair) error {
				_, err := p.Sessions(ctx, pair.UserID)
				return err
			}},
			{"refresh", commit + ledger + session, load + commit + ledger + session, func(ctx context.Context, p *app, pair core.Pair) error {
				_, err := p.Refresh(ctx, core.RefreshRequest{Token: pair.RefreshToken})
				return err
			}},
			{"sign-in", commit + ledger + begin + devices, load + commit + ledger + begin + devices, func(ctx context.Context, p *app, pair core.Pair) error {
				_, err := p.SignIn(ctx, core.SignInRequest{
					Identity: core.Identity{UserID: pair.UserID}, Client: core.Client{DeviceID: pair.Session.Device.ID},
				})
				return err
			}},
			{"revoke", commit + ledger + session + publish, load + commit + ledger + session + publish, func(ctx context.Context, p *app, pair core.Pair) error {
				return p.Revoke(ctx, pair.UserID, pair.Session.ID, core.ReasonRevokedByAdmin)
			}},
		} {
			for _, at := range []*app{home, elsewhere} {
				which, want := "known", tt.known
				if at == elsewhere {
					which, want = "unknown", tt.unknown
				}
				pair := home.signIn(t, strings.ReplaceAll(tt.name+"-"+which, " ", "-"))
				got, err := traced(t.Context(), func(ctx context.Context) error { return tt.do(ctx, at, pair) })
				if err != nil || len(got) != want {
					t.Errorf("%s, its ledger %s: got %d statements and error %v, want %d", tt.name, which, len(got), err, want)
					for _, s := range got {
						t.Logf("%.100s", s.text)
					}
				}
			}
		}
		for _, tt := range []struct {
			name string
			want int
			do   func(context.Context) error
		}{
			{"128 users", load, func(ctx context.Context) error { _, err := s.LoadMany(ctx, make128()); return err }},
			{"129 users", 2 * load, func(ctx context.Context) error { _, err := s.LoadMany(ctx, append(make128(), "one more")); return err }},
			{"the feed with nothing new", 1, func(ctx context.Context) error {
				b, err := s.Tail(context.Background(), "", 0)
				if err != nil {
					return err
				}
				_, err = s.Tail(ctx, b.Next, 0)
				return err
			}},
		} {
			got, err := traced(t.Context(), tt.do)
			if err != nil || len(got) != tt.want {
				t.Errorf("%s: got %d statements and error %v, want %d", tt.name, len(got), err, tt.want)
			}
		}
	})
}

func make128() []string { return strings.Split(strings.Repeat("user ", 127)+"user", " ") }
