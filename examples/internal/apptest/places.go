package apptest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// place is where a server may keep sessions, a new one for each test.
type place struct {
	store    string // as the server calls it
	settings map[string]string
	used     func() bool // something is in it
	left     func() bool // no server is connected
}

func onRedis(t *testing.T) place {
	m := miniredis.RunT(t)
	return place{
		store: "redis", settings: redisAt(m),
		used: func() bool { return len(m.DB(7).Keys()) > 0 },
		left: func() bool { return m.CurrentConnectionCount() == 0 },
	}
}

func onSQLite(t *testing.T) place {
	t.Helper()
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	file := filepath.Join(t.TempDir(), "sessions.db")
	return place{
		store: "sqlite", settings: map[string]string{"DATABASE_URL": "sqlite://" + filepath.ToSlash(file)},
		used: func() bool { return rows(t, file, "user_session_ledgers") > 0 },
		left: func() bool { return true },
	}
}

// onBoth is Redis, with the history in a database.
func onBoth(t *testing.T) place {
	t.Helper()
	if os.Getenv("SALLYPORT_QUICK") != "" {
		t.Skip("it takes long")
	}
	live, history := onRedis(t), filepath.Join(t.TempDir(), "history.db")
	live.settings["DATABASE_URL"] = "sqlite://" + filepath.ToSlash(history)
	inRedis := live.used
	live.used = func() bool { return inRedis() && rows(t, history, "user_session_ledgers") == 0 }
	return live
}

// rows is how many rows a table of a database of SQLite has that meet a condition.
func rows(t *testing.T, file, table string, where ...string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text := "SELECT COUNT(*) FROM " + table
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	if err := db.QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// with is a server with settings, whatever the others are.
func with(run Server, settings map[string]string) Server {
	return func(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
		return run(ctx, args, func(name string) string {
			if value, set := settings[name]; set {
				return value
			}
			return getenv(name)
		}, out)
	}
}

// same: what servers do does not depend on where sessions are.
func same(at func(*testing.T) place) func(*testing.T, Server) {
	return func(t *testing.T, run Server) {
		for _, c := range []struct {
			name string
			test func(*testing.T, Server)
		}{
			{"a session", session},
			{"disabling a user", disabling},
			{"what an admin sees", adminSees},
			{"what an admin ends", adminEnds},
		} {
			t.Run(c.name, func(t *testing.T) {
				p := at(t)
				c.test(t, with(run, p.settings))
				if !p.used() {
					t.Error("nothing is in it")
				}
			})
		}
	}
}

// several: servers with one place and one key are one system, and a restart ends nothing.
func several(at func(*testing.T) place) func(*testing.T, Server) {
	return func(t *testing.T, run Server) {
		p := at(t)
		run = with(run, p.settings)
		env := map[string]string{"SECRET_KEY": rand.Text() + rand.Text()}
		one, other := start(t, run, env), start(t, run, env)
		if !strings.Contains(one.welcome, "with sessions in "+p.store+"\n") {
			t.Errorf("it says %q", one.welcome)
		}
		if store := one.browser(t).get("/healthz")["store"]; store != p.store {
			t.Errorf("the store is %v, want %s", store, p.store)
		}

		alice, bob := one.browser(t), one.browser(t)
		alice.signIn("alice")
		bob.signIn("bob")
		alice.url = other.url
		alice.get(mePath)
		alice.equal("logout", alice.post("/api/v1/auth/logout", ""), `{"message":"signed out","revoked":1}`)
		alice.url = one.url
		eventually(t, func() bool {
			status, out := alice.do("GET", mePath, "")
			return status == 401 && out["code"] == "TOKEN_REVOKED"
		})

		for _, s := range []*server{one, other} {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}
		eventually(t, p.left)
		again := start(t, run, env)
		bob.url, alice.url = again.url, again.url
		bob.get(mePath)
		bob.post("/api/v1/auth/refresh", "")
		alice.want(401, "TOKEN_REVOKED", "GET", mePath, "")
	}
}

// A database has what happened: of all sessions, those that have ended too, and of the
// events. Beside Redis it is there when the server has stopped.
func history(t *testing.T, run Server) {
	for _, at := range []func(*testing.T) place{onSQLite, onBoth} {
		p := at(t)
		file := strings.TrimPrefix(p.settings["DATABASE_URL"], "sqlite://")
		s := start(t, with(run, p.settings), nil)
		alice := s.browser(t)
		ended := alice.signIn("alice")
		alice.post("/api/v1/auth/logout", "")
		goesOn := s.browser(t).signIn("alice")
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for where, want := range map[string]int{
			"id = '" + ended + "' AND ended_at IS NOT NULL AND end_reason = 'signed_out'": 1,
			"id = '" + goesOn + "' AND ended_at IS NULL":                                  1,
		} {
			if n := rows(t, file, "user_sessions", where); n != want {
				t.Errorf("%s: %d sessions with %s, want %d", p.store, n, where, want)
			}
		}
		for name, want := range map[string]int{"signed_in": 2, "session_ended": 1} {
			if n := rows(t, file, "user_session_events", "name = '"+name+"'", "user_id = 'alice'"); n != want {
				t.Errorf("%s: %d events %s, want %d", p.store, n, name, want)
			}
		}
	}
}

// A database that can't be had stops the start with one line, which does not show the
// password.
func noDatabase(t *testing.T, run Server) {
	password := rand.Text()
	for _, url := range []string{
		"sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "no", "such", "folder")),
		"postgres://app:" + password + "@127.0.0.1:1/sessions?sslmode=disable&connect_timeout=5",
		"mysql://app:" + password + "@127.0.0.1:1/sessions?timeout=5s",
	} {
		out, err := call(t, run, nil, map[string]string{"ADDR": "127.0.0.1:0", "DATABASE_URL": url})
		if err == nil || !strings.HasPrefix(err.Error(), "DATABASE_URL: ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: got error %v, want one line that names the setting and no password", url, err)
		}
		if out != "" {
			t.Errorf("%s: it says %q", url, out)
		}
	}
}
