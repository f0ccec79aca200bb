package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// site is a database of history that a test can take away.
type site struct {
	sqltest.Database
	db     *sql.DB // as the History has it
	direct *sql.DB
	link   *link // nil: SQLite
}

func newSite(t testing.TB, engine string) *site {
	t.Helper()
	d := migrated(t, sqltest.New(t, engine))
	s := &site{Database: d, direct: d.Open(t)}
	for kind, addr := range map[string]string{"mariadb": "127.0.0.1:3306", "postgres": "127.0.0.1:5432"} {
		if kind == engine {
			s.link = newLink(t, addr)
			d.DSN = strings.Replace(d.DSN, addr, s.link.Addr().String(), 1)
		}
	}
	s.db = d.Open(t)
	return s
}

// away takes the database away, and back returns it.
func (s *site) away(t testing.TB) {
	t.Helper()
	if s.link != nil {
		s.link.set(false)
		return
	}
	s.exec(t, "ALTER TABLE user_sessions RENAME TO user_sessions_gone")
	s.exec(t, "ALTER TABLE user_session_events RENAME TO user_session_events_gone")
}

func (s *site) back(t testing.TB) {
	t.Helper()
	if s.link != nil {
		s.link.set(true)
		return
	}
	s.exec(t, "ALTER TABLE user_sessions_gone RENAME TO user_sessions")
	s.exec(t, "ALTER TABLE user_session_events_gone RENAME TO user_session_events")
}

func (s *site) exec(t testing.TB, text string, args ...any) {
	t.Helper()
	if _, err := s.direct.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func (s *site) rows(t testing.TB) map[string]map[core.ID]sqlstore.SessionRow {
	t.Helper()
	all, err := sqlstore.SessionRows(t.Context(), s.direct, dialects[s.Engine])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// events returns what the events say, by name, in no order.
func (s *site) events(t testing.TB) map[string][]string {
	t.Helper()
	rows, err := s.direct.QueryContext(t.Context(), "SELECT name, user_id, reason, error FROM user_session_events")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var name, user, reason, text string
		if err := rows.Scan(&name, &user, &reason, &text); err != nil {
			t.Fatal(err)
		}
		all[name] = append(all[name], strings.TrimSpace(user+" "+reason+" "+text))
	}
	return all
}

// link is a TCP proxy that can be cut.
type link struct {
	net.Listener
	target string
	mu     sync.Mutex
	up     bool
	conns  map[net.Conn]bool
}

func newLink(t testing.TB, target string) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{Listener: ln, target: target, up: true, conns: map[net.Conn]bool{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			work.Go(func() { l.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		l.set(false)
		work.Wait()
	})
	return l
}

func (l *link) serve(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	up := l.up
	l.conns[c], l.conns[server] = up, up
	l.mu.Unlock()
	if up {
		var half sync.WaitGroup
		half.Go(func() { io.Copy(server, c); server.Close() })
		io.Copy(c, server)
		c.Close()
		half.Wait()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	delete(l.conns, server)
}

func (l *link) set(up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = up
	for c := range l.conns {
		if !up {
			c.Close()
		}
	}
}

func newHistory(t testing.TB, s *site, o sqlstore.HistoryOptions) *sqlstore.History {
	t.Helper()
	if o.OnLoss == nil {
		o.OnLoss = func(lost sqlstore.HistoryLost, err error) { t.Errorf("lost %v: %v", lost, err) }
	}
	h, err := sqlstore.NewHistory(s.db, dialects[s.Engine], o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		h.Close(over)
	})
	return h
}

// closed closes a History that has to write all.
func closed(t testing.TB, h *sqlstore.History) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		t.Error(err)
	}
}

// until waits until a History is as wanted.
func until(t testing.TB, h *sqlstore.History, what string, is func(sqlstore.HistoryHealth) bool) {
	t.Helper()
	eventually(t, what, func() bool { return is(h.Health()) })
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := time.NewTimer(time.Minute)
	defer over.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-over.C:
			t.Fatalf("never %s", what)
		}
	}
}

func isWritten(h sqlstore.HistoryHealth) bool { return h.Queued == 0 && h.LastError == nil }
func isAway(h sqlstore.HistoryHealth) bool    { return h.LastError != nil }

var began = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func after(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

// signedIn is a session as a browser has it.
func signedIn(at int) core.Session {
	return core.Session{
		ID: newID(), CreatedAt: after(at), LastSeenAt: after(at), ExpiresAt: after(at + 3600), Gen: 1, Serial: 1,
		Device:    core.Device{ID: newID().String(), Name: "Firefox on Linux", Type: "desktop", Browser: "Firefox", OS: "Linux"},
		IP:        "192.0.2.1",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		AMR:       []string{"pwd"}, Scopes: []string{"orders:read", "orders:write"}, Claims: []byte(`{"tenant":"a"}`),
	}
}

func refreshed(s core.Session, at int) core.Session {
	s = s.Clone()
	s.Serial, s.Gen, s.LastSeenAt, s.ExpiresAt = s.Serial+1, s.Gen+1, after(at), after(at+3600)
	return s
}

// then commits a change that follows the last one of a user.
func then(t testing.TB, s core.Store, user string, at int, c core.Change) {
	t.Helper()
	l, err := s.Load(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	c.ID, c.If, c.At = newID(), l.Version, after(at)
	if !c.Forget {
		c.KeepUntil = after(at + 7200)
	}
	if _, err := s.Commit(t.Context(), user, c); err != nil {
		t.Fatal(err)
	}
}

// told is what a session has to look like.
func told(t testing.TB, what string, got sqlstore.SessionRow, want core.Session, ended time.Time, why core.Reason) {
	t.Helper()
	if !reflect.DeepEqual(got.Session, want) || !got.EndedAt.Equal(ended) || got.Reason != why {
		t.Errorf("%s:\ngot  %+v %v %q\nwant %+v %v %q", what, got.Session, got.EndedAt, got.Reason, want, ended, why)
	}
}

// An outage of the database in the middle of many commits loses nothing: in the end the
// table says what the live store was told.
func TestHistoryOutage(t *testing.T) {
	long(t)
	const workers, users, commits = 4, 50, 2500 // of each worker
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		live := memstore.New()
		store := h.Wrap(live)
		audit := h.Audit(nil)
		type end struct {
			at  time.Time
			why core.Reason
		}
		latest, ends := make([]map[string]map[core.ID]core.Session, workers), make([]map[core.ID]end, workers)
		var events int
		var count sync.Mutex
		reached := make(chan bool, 3*workers)
		var work sync.WaitGroup
		for w := range workers {
			latest[w], ends[w] = map[string]map[core.ID]core.Session{}, map[core.ID]end{}
			work.Go(func() {
				for i := range commits {
					if i == commits/4 || i == commits/2 || i == 3*commits/4 {
						reached <- true
					}
					user := fmt.Sprintf("user-%d-%d", w, i%users)
					l, err := store.Load(t.Context(), user)
					if err != nil {
						t.Error(err)
						return
					}
					c := core.Change{ID: newID(), If: l.Version, At: after(i), KeepUntil: after(i + 7200)}
					step := i / users % 8
					switch {
					case step == 7 && i%5 == 0:
						c.Forget, c.KeepUntil = true, time.Time{}
					case step%4 == 3 && len(l.Sessions) > 0:
						c.End = []core.Ended{{ID: l.Sessions[0].ID, Reason: core.ReasonSignedOut}}
					case step%2 == 1 && len(l.Sessions) > 0:
						c.Put = []core.Session{refreshed(l.Sessions[0], i)}
					default:
						c.Put = []core.Session{signedIn(i)}
					}
					if _, err := store.Commit(t.Context(), user, c); err != nil {
						t.Error(err)
						return
					}
					if latest[w][user] == nil || c.Forget {
						latest[w][user] = map[core.ID]core.Session{}
					}
					for _, s := range c.Put {
						latest[w][user][s.ID] = s
					}
					for _, e := range c.End {
						ends[w][e.ID] = end{c.At, e.Reason}
					}
					if i%10 == 0 {
						audit(t.Context(), core.Event{Time: after(i), Name: core.EventRefreshed})
						count.Lock()
						events++
						count.Unlock()
					}
				}
			})
		}
		<-reached
		s.away(t)
		for range workers {
			<-reached
		}
		until(t, h, "away", isAway)
		s.back(t)
		work.Wait()
		s.away(t)
		s.back(t)
		closed(t, h)
		rows := s.rows(t)
		n := 0
		for w := range workers {
			for user, sessions := range latest[w] {
				if len(rows[user]) != len(sessions) {
					t.Errorf("%s: got %d rows, want %d", user, len(rows[user]), len(sessions))
				}
				for id, want := range sessions {
					n++
					e := ends[w][id]
					told(t, user, rows[user][id], want, e.at, e.why)
				}
				l, _ := live.Load(t.Context(), user)
				for _, stands := range l.Sessions {
					told(t, user+", as the live store has it", rows[user][stands.ID], stands, time.Time{}, "")
				}
			}
		}
		if got := len(s.events(t)["refreshed"]); got != events || n == 0 {
			t.Errorf("got %d events, want %d; %d sessions", got, events, n)
		}
		if got := h.Health(); got.Lost != (sqlstore.HistoryLost{}) || got.Queued != 0 || got.Unsettled != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// What waits is bounded by the number of sessions, however long the outage is.
func TestHistoryCoalesces(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{MaxQueued: 150})
		store := h.Wrap(memstore.New())
		s.away(t)
		first := signedIn(0)
		then(t, store, "first", 0, core.Change{Put: []core.Session{first}})
		until(t, h, "away", isAway) // the first has been taken
		sessions := make([]core.Session, 20)
		for i := range sessions {
			sessions[i] = signedIn(i)
		}
		for round := range 100 {
			for i := range sessions {
				if round > 0 {
					sessions[i] = refreshed(sessions[i], 100+round)
				}
				then(t, store, fmt.Sprint("user-", i), 100+round, core.Change{Put: sessions[i : i+1]})
			}
		}
		then(t, store, "user-0", 300, core.Change{End: []core.Ended{{ID: sessions[0].ID, Reason: core.ReasonRevoked}}})
		if got := h.Health(); got.Queued != 21 || !got.Oldest.Equal(after(0)) {
			t.Errorf("got %d waiting since %v, want 21 since %v", got.Queued, got.Oldest, after(0))
		}
		s.back(t)
		closed(t, h)
		rows := s.rows(t)
		for i := range sessions {
			ended, why := time.Time{}, core.Reason("")
			if i == 0 {
				ended, why = after(300), core.ReasonRevoked
			}
			told(t, fmt.Sprint("user-", i), rows[fmt.Sprint("user-", i)][sessions[i].ID], sessions[i], ended, why)
		}
	})
}

// When the queue is full what is new is dropped, counted, told to the app, and told in
// the table once the database is back.
func TestHistoryFull(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		losses := make(chan sqlstore.HistoryLost, 100)
		h := newHistory(t, s, sqlstore.HistoryOptions{MaxQueued: 8, OnLoss: func(lost sqlstore.HistoryLost, err error) {
			if err == nil {
				t.Error("no error says that the database is away")
			}
			losses <- lost
		}})
		store, audit := h.Wrap(memstore.New()), h.Audit(nil)
		s.away(t)
		audit(t.Context(), core.Event{Time: after(0), Name: core.EventSignedIn})
		until(t, h, "away", isAway)
		for i := range 10 { // 5 more fit beside the quarter of the sessions
			audit(t.Context(), core.Event{Time: after(i), Name: core.EventSignedIn})
		}
		put := make([]core.Session, 4) // 2 fit
		for i := range put {
			put[i] = signedIn(i)
			then(t, store, fmt.Sprint("user-", i), 20+i, core.Change{Put: put[i : i+1]})
		}
		put[0] = refreshed(put[0], 30) // what waits can change
		then(t, store, "user-0", 30, core.Change{Put: put[:1]})
		then(t, store, "user-1", 31, core.Change{Forget: true}) // and to forget there is room
		want := sqlstore.HistoryLost{Sessions: 2, Events: 5}
		if got := h.Health(); got.Queued != 9 || got.Lost != want {
			t.Errorf("got %+v, want 9 waiting and %v lost", got, want)
		}
		s.back(t)
		closed(t, h)
		close(losses)
		var told sqlstore.HistoryLost
		for l := range losses {
			told.Sessions += l.Sessions
			told.Events += l.Events
		}
		if told != want {
			t.Errorf("OnLoss was told %v, want %v", told, want)
		}
		events := s.events(t)
		gap := "not written: 2 of sessions, 5 events, 0 users to forget; from 2026-11-22T10:00:05Z to 2026-11-22T10:00:23Z"
		if len(events["signed_in"]) != 6 || !reflect.DeepEqual(events["history_lost"], []string{gap}) {
			t.Errorf("got events %q, want 6 signed_in and %q", events, gap)
		}
		rows := s.rows(t)
		if got := rows["user-0"][put[0].ID].Session.Serial; len(rows) != 1 || got != 2 {
			t.Errorf("got rows %v, want user-0 alone with serial 2", rows)
		}
	})
}

// A record that the database refuses for good is set aside, and nothing else.
func TestHistoryPoison(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		long := strings.Repeat("x", 300)
		switch engine {
		case "sqlite":
			s.exec(t, "CREATE TRIGGER poison BEFORE INSERT ON user_sessions WHEN length(new.country) = 300 BEGIN SELECT RAISE(ABORT, 'too long'); END")
		default:
			s.exec(t, "ALTER TABLE user_sessions ADD CONSTRAINT poison CHECK (length(country) < 300)")
		}
		var lost sqlstore.HistoryLost
		var why error
		h := newHistory(t, s, sqlstore.HistoryOptions{OnLoss: func(l sqlstore.HistoryLost, err error) { lost, why = l, err }})
		store := h.Wrap(memstore.New())
		s.away(t)
		then(t, store, "first", 0, core.Change{Put: []core.Session{signedIn(0)}})
		until(t, h, "away", isAway)
		for i := range 150 {
			p := signedIn(i)
			if i == 77 {
				p.Location.Country = long
			}
			then(t, store, fmt.Sprint("user-", i), i, core.Change{Put: []core.Session{p}})
		}
		s.back(t)
		closed(t, h)
		rows := s.rows(t)
		if len(rows) != 150 || rows["user-77"] != nil {
			t.Errorf("got %d rows, want 150; of user-77 %v", len(rows), rows["user-77"])
		}
		want := sqlstore.HistoryLost{Sessions: 1}
		if got := h.Health().Lost; got != want || lost != want || why == nil {
			t.Errorf("got %v lost, told %v because of %v, want %v", got, lost, why, want)
		}
		if got := s.events(t)["history_lost"]; len(got) != 1 || !strings.Contains(got[0], "1 of sessions") {
			t.Errorf("got %q told", got)
		}
	})
}

// What is missing in the database as a whole is no fault of a record.
func TestHistoryTableMissing(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		store := h.Wrap(memstore.New())
		s.exec(t, "ALTER TABLE user_sessions RENAME TO aside")
		then(t, store, "alice", 0, core.Change{Put: []core.Session{signedIn(0)}})
		h.Audit(nil)(t.Context(), core.Event{Time: after(0), Name: core.EventSignedIn, UserID: "alice"})
		var last error
		for range 6 { // tries; each error is another one
			until(t, h, "tried", func(h sqlstore.HistoryHealth) bool {
				defer func() { last = h.LastError }()
				return h.LastError != nil && h.LastError != last
			})
		}
		if got := h.Health(); got.Lost != (sqlstore.HistoryLost{}) || got.Queued == 0 {
			t.Errorf("got %+v", got)
		}
		s.exec(t, "ALTER TABLE aside RENAME TO user_sessions")
		closed(t, h)
		if len(s.rows(t)["alice"]) != 1 || len(s.events(t)["signed_in"]) != 1 {
			t.Errorf("got %v, %v", s.rows(t), s.events(t))
		}
	})
}

func TestHistoryForget(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{})
		store, audit := h.Wrap(memstore.New()), h.Audit(nil)
		event := func(name core.EventName, user string, why core.Reason) {
			audit(t.Context(), core.Event{Time: after(0), Name: name, UserID: user, Reason: why})
		}
		one := signedIn(0)
		then(t, store, "alice", 0, core.Change{Put: []core.Session{one}})
		then(t, store, "bob", 0, core.Change{Put: []core.Session{signedIn(0)}})
		event(core.EventSignedIn, "alice", "")
		event(core.EventSignedIn, "bob", "")
		until(t, h, "written", isWritten)
		s.away(t)
		then(t, store, "carol", 0, core.Change{Put: []core.Session{signedIn(0)}})
		until(t, h, "away", isAway)
		then(t, store, "alice", 1, core.Change{Put: []core.Session{refreshed(one, 1), signedIn(1)}})
		event(core.EventRefreshed, "alice", "")
		then(t, store, "alice", 2, core.Change{Forget: true})
		event(core.EventSessionEnded, "alice", core.ReasonForgotten)
		event(core.EventUserForgotten, "alice", "")
		// A session that the live store gives the same id has nothing to do with the first.
		again := refreshed(one, 5)
		then(t, store, "alice", 5, core.Change{Put: []core.Session{again}})
		s.back(t)
		until(t, h, "written", isWritten)
		rows := s.rows(t)
		if len(rows["alice"]) != 1 || len(rows["bob"]) != 1 || len(rows["carol"]) != 1 {
			t.Errorf("got %v", rows)
		}
		told(t, "signed in again", rows["alice"][one.ID], again, time.Time{}, "")
		want := map[string][]string{"signed_in": {"bob"}, "user_forgotten": {""}}
		if got := s.events(t); !reflect.DeepEqual(got, want) {
			t.Errorf("got events %q, want %q", got, want)
		}
		then(t, store, "alice", 6, core.Change{Forget: true})
		closed(t, h)
		if rows := s.rows(t); rows["alice"] != nil || len(rows) != 2 {
			t.Errorf("got %v", rows)
		}
		if got := s.events(t); !reflect.DeepEqual(got, want) {
			t.Errorf("got events %q, want %q", got, want)
		}
	})
}

// gated is a store whose commits wait after they have taken place.
type gated struct {
	core.Store
	hold func(core.Change)
}

func (g gated) Commit(ctx context.Context, user string, c core.Change) (core.Ledger, error) {
	l, err := g.Store.Commit(ctx, user, c)
	g.hold(c)
	return l, err
}

// A commit that was under way when its user was forgotten writes nothing after it.
func TestHistoryForgetOvertakes(t *testing.T) {
	s := newSite(t, "sqlite")
	h := newHistory(t, s, sqlstore.HistoryOptions{})
	took, go1 := make(chan bool), make(chan bool)
	store := h.Wrap(gated{memstore.New(), func(c core.Change) {
		if !c.Forget {
			took <- true
			<-go1
		}
	}})
	var work sync.WaitGroup
	work.Go(func() { then(t, store, "alice", 0, core.Change{Put: []core.Session{signedIn(0)}}) })
	<-took
	then(t, store, "alice", 1, core.Change{Forget: true})
	close(go1)
	work.Wait()
	closed(t, h)
	if got := s.rows(t); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestHistoryClose(t *testing.T) {
	onEach(t, func(t *testing.T, engine string) {
		s := newSite(t, engine)
		h := newHistory(t, s, sqlstore.HistoryOptions{OnLoss: func(sqlstore.HistoryLost, error) {}})
		store, audit := h.Wrap(memstore.New()), h.Audit(nil)
		s.away(t)
		then(t, store, "alice", 0, core.Change{Put: []core.Session{signedIn(0)}})
		until(t, h, "away", isAway)
		audit(t.Context(), core.Event{Time: after(0), Name: core.EventSignedIn})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := h.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), " 2 records") {
			t.Errorf("got %v, want it to say that 2 records are lost", err)
		}
		if again := h.Close(t.Context()); again == nil || again.Error() != err.Error() {
			t.Errorf("closed again: got %v, want %v", again, err)
		}
		then(t, store, "alice", 1, core.Change{Put: []core.Session{signedIn(1)}}) // the live store goes on
		if got, want := h.Health().Lost, (sqlstore.HistoryLost{Sessions: 2, Events: 1}); got != want {
			t.Errorf("got %v lost, want %v", got, want)
		}
		s.back(t)
	})
}

func TestNewHistory(t *testing.T) {
	_, err := sqlstore.NewHistory(nil, "oracle", sqlstore.HistoryOptions{MaxQueued: -1})
	if err == nil || strings.Count(err.Error(), "sqlstore:") != 3 {
		t.Errorf("got %v, want three mistakes", err)
	}
}
