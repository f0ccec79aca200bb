package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

// tally is the number that every part of a user's ledger tells, and that each change
// raises by one: in a torn ledger the parts differ.
func tally(l core.Ledger) (int, error) {
	if l.Version.IsZero() {
		return 0, nil
	}
	if len(l.Sessions) != 1 || len(l.Foreign) != 1 || len(l.Pending) != 1 || len(l.Devices) != 2 {
		return 0, fmt.Errorf("torn: %d sessions, %d foreign tokens, %d pending, %d devices", len(l.Sessions), len(l.Foreign), len(l.Pending), len(l.Devices))
	}
	n := strconv.FormatUint(l.Sessions[0].Gen, 10)
	for part, says := range map[string]string{
		"foreign": l.Foreign[0].JTI, "pending": strconv.Itoa(l.Pending[0].Attempts), "device": l.Devices[0].Name, "other device": l.Devices[1].Name,
	} {
		if says != n {
			return 0, fmt.Errorf("torn: the session says %s and %s %s", n, part, says)
		}
	}
	return strconv.Atoi(n)
}

// raised is the change that raises the tally of a user to n. It ends a session and
// begins another.
func raised(user string, l core.Ledger, n int) core.Change {
	name := strconv.Itoa(n)
	s := session(base.Add(time.Hour))
	s.Gen = uint64(n)
	c := core.Change{
		ID: newID(), If: l.Version, At: base, KeepUntil: base.Add(time.Hour),
		Put:     []core.Session{s},
		Devices: []core.KnownDevice{{Device: core.Device{ID: "a", Name: name}}, {Device: core.Device{ID: "b", Name: name}}},
		Pending: []core.Pending{{Session: session(base), Attempts: n}},
		Foreign: []core.RevokedToken{{JTI: name, Until: base}},
		Publish: []core.Revocation{{UserID: user, JTI: name, Until: base.Add(time.Hour)}},
	}
	for _, old := range l.Sessions {
		c.End = append(c.End, core.Ended{ID: old.ID, Reason: core.ReasonEvicted})
	}
	return c
}

// raise raises a user's tally until something fails, and says what was acknowledged.
func raise(ctx context.Context, s core.Store, user string, acknowledged func(n int)) error {
	for {
		l, err := s.Load(ctx, user)
		if err != nil {
			return err
		}
		n, err := tally(l)
		if err != nil {
			return fmt.Errorf("%w: %w", errTorn, err)
		}
		switch _, err := s.Commit(ctx, user, raised(user, l, n+1)); {
		case errors.Is(err, core.ErrConflict):
		case err != nil:
			return err
		default:
			acknowledged(n + 1)
		}
	}
}

var errTorn = errors.New("a ledger is torn")

// hammered are users whose tallies are raised, two by two in a bucket.
var hammered = []string{"alice", "bob", "carol", "dave"}

// whole checks that nothing that was acknowledged is lost, that no ledger is torn, and
// that the feed has every change, in order. A server may still be at work on what a
// process that was killed had sent: the feed, read last, may be one change ahead.
func whole(t *testing.T, s core.Store, acknowledged map[string]int) {
	t.Helper()
	at := map[string]int{}
	for _, user := range hammered {
		n, err := tally(load(t, s, user))
		if err != nil {
			t.Fatalf("%s: %v", user, err)
		}
		if n < acknowledged[user] {
			t.Errorf("%s: %d was acknowledged, and the ledger is at %d", user, acknowledged[user], n)
		}
		at[user] = n
	}
	feed := map[string][]string{}
	for _, r := range tail(t, s, "").Events {
		feed[r.UserID] = append(feed[r.UserID], r.JTI)
	}
	for _, user := range hammered {
		var want []string
		for i := range max(at[user], min(len(feed[user]), at[user]+1)) {
			want = append(want, strconv.Itoa(i+1))
		}
		if !slices.Equal(feed[user], want) {
			t.Fatalf("%s: the feed has %d changes, and the ledger had %d: %v", user, len(feed[user]), at[user], feed[user])
		}
	}
}

func cycles() int {
	if proof() {
		return 100
	}
	return 2
}

// A database server that is killed in the middle of commits loses nothing that it
// acknowledged, and tears nothing.
func TestServerKillsProof(t *testing.T) {
	long(t)
	for engine, start := range map[string]func(testing.TB) *sqltest.Server{"mariadb": sqltest.StartMariaDB, "postgres": sqltest.StartPostgres} {
		t.Run(engine, func(t *testing.T) {
			server := start(t)
			d := migrated(t, server.Database(t))
			s := open(t, d, sqlstore.Options{})
			acknowledged := map[string]int{}
			var mu sync.Mutex
			total := 0
			for range cycles() {
				enough := make(chan struct{})
				left := 1 + rand.IntN(40)
				var writers sync.WaitGroup
				for _, user := range hammered {
					writers.Go(func() {
						err := raise(context.Background(), s, user, func(n int) {
							mu.Lock()
							defer mu.Unlock()
							acknowledged[user] = n
							total++
							if left--; left == 0 {
								close(enough)
							}
						})
						if errors.Is(err, errTorn) {
							t.Error(err)
						}
					})
				}
				<-enough
				server.Kill()
				writers.Wait()
				server.Restart(t)
				whole(t, open(t, d, sqlstore.Options{}), acknowledged)
				if t.Failed() {
					return
				}
			}
			t.Logf("%d kills, %d acknowledged changes", cycles(), total)
		})
	}
}

// hammerer is the word for process that has this binary raise tallies until it is
// killed.
const hammerer = "hammer"

func hammer(d sqltest.Database) error {
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		return err
	}
	s, err := sqlstore.New(db, dialects[d.Engine], sqlstore.Options{Timeout: 30 * time.Second})
	if err != nil {
		return err
	}
	failed := make(chan error)
	var mu sync.Mutex
	for _, user := range hammered {
		go func() {
			failed <- raise(context.Background(), s, user, func(n int) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Println(user, n)
			})
		}()
	}
	return <-failed
}

// A process that is killed in the middle of commits leaves nothing torn behind, and
// nobody waiting.
func TestProcessKillsProof(t *testing.T) {
	long(t)
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		acknowledged := map[string]int{}
		total := 0
		for range cycles() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), child+"="+strings.Join([]string{d.Engine, d.Driver, d.DSN, hammerer}, " "))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for left := 1 + rand.IntN(40); lines.Scan(); left-- {
				user, n, _ := strings.Cut(lines.Text(), " ")
				acknowledged[user], err = strconv.Atoi(n)
				if err != nil {
					t.Fatalf("a process says %q", lines.Text())
				}
				if total++; left == 1 {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			cmd.Wait()
			whole(t, d, acknowledged)
			if t.Failed() {
				return
			}
		}
		t.Logf("%d kills, %d acknowledged changes", cycles(), total)
	})
}
