package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Server is a MariaDB or a PostgreSQL of a test's own, which has on disk what it has
// acknowledged. Its methods are not safe for concurrent use with each other, but
// whoever else uses its databases meanwhile.
type Server struct {
	Addr string

	t       testing.TB
	program program
	dir     string // with its data and its log
	process *exec.Cmd
	exited  context.Context // done when the process has ended
}

// program is what servers of an engine are run with.
type program struct {
	at    func(addr, name string) Database
	run   func(data, port string) *exec.Cmd
	where string                  // asks for the folder with the data
	fresh func() (folder, error)  // what that folder holds at first
	own   func(path string) error // gives a file to who runs the server
	after func(data string)       // puts away what is left elsewhere by one that was killed
}

// StartPostgres starts a PostgreSQL on a free port. It ends with the test. Without its
// programs the test is skipped, and fails in CI.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	p, err := findPostgres()
	if err != nil {
		missing(t, err)
	}
	return start(t, p)
}

// StartMariaDB starts a MariaDB as StartPostgres does a PostgreSQL.
func StartMariaDB(t testing.TB) *Server {
	t.Helper()
	p, err := findMariaDB()
	if err != nil {
		missing(t, err)
	}
	return start(t, p)
}

// StartMariaDBWith is StartMariaDB, with options such as "--log-bin".
func StartMariaDBWith(t testing.TB, options ...string) *Server {
	t.Helper()
	p, err := findMariaDB()
	if err != nil {
		missing(t, err)
	}
	run := p.run
	p.run = func(data, port string) *exec.Cmd {
		cmd := run(data, port)
		cmd.Args = append(cmd.Args, options...)
		return cmd
	}
	return start(t, p)
}

func start(t testing.TB, p program) *Server {
	t.Helper()
	if _, _, err := state(os.Getpid()); err != nil {
		missing(t, err)
	}
	fresh, err := p.fresh()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sqltest") // t.TempDir is closed to other users, and its name too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, program: p, dir: dir}
	t.Cleanup(func() {
		s.Kill()
		p.after(s.data())
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(p.own(dir), fresh.write(s.data(), p.own)); err != nil {
		t.Fatal(err)
	}
	for range 5 { // another program may take the port first
		s.Addr = free(t)
		if err = s.launch(); err == nil {
			return s
		}
		s.Kill()
	}
	t.Fatal(err)
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Restart starts a server that was killed, with what it has on disk, and returns when
// it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.process != nil {
		t.Fatalf("%s was not killed", s.Addr)
	}
	if err := s.launch(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) launch() error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	_, port, _ := net.SplitHostPort(s.Addr)
	cmd := s.program.run(s.data(), port)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited, exit := context.WithCancelCause(context.Background())
	s.process, s.exited = cmd, exited
	go func() { exit(fmt.Errorf("%s has ended: %w", cmd.Path, errors.Join(cmd.Wait(), context.Canceled))) }()
	if err := eventually(exited, s.answers); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// answers reports who does, if it is not this server.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr) // nobody there is no news: a driver may log it
	if err != nil {
		return err
	}
	conn.Close()
	d := s.program.at(s.Addr, "")
	db, err := sql.Open(d.Driver, d.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	var data string
	if err := db.QueryRowContext(ctx, s.program.where).Scan(&data); err != nil {
		return err
	}
	if filepath.Clean(data) != s.data() {
		return fmt.Errorf("%s is of a server on %s", s.Addr, data)
	}
	return nil
}

// Database returns a new database on the server, which must be running. Nothing drops
// it before the server ends.
func (s *Server) Database(t testing.TB) Database {
	t.Helper()
	server := s.program.at(s.Addr, "")
	admin := server.Open(t)
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, _ := server.create(ctx, t, admin)
	return d
}

// Process is the server's, to be sent signals. PostgreSQL has others beside it.
func (s *Server) Process() *os.Process { return s.process.Process }

// Kill ends all processes of the server at once, as kill -9 does. One that was killed
// stays so.
func (s *Server) Kill() {
	s.t.Helper()
	if s.process == nil {
		return
	}
	if s.exited.Err() == nil {
		if err := kill(s.process.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Errorf("killing %s: %v", s.Addr, err)
		}
	}
	<-s.exited.Done()
	s.process = nil
}

// Freeze has the server hang, with all its processes: its connections stay, new ones
// are made, and nothing answers.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	if err := stop(s.process.Process.Pid); err != nil {
		t.Fatalf("%s does not freeze: %v", s.Addr, err)
	}
}

// Thaw has a server that hangs go on where it was.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	if err := resume(s.process.Process.Pid); err != nil {
		t.Fatalf("%s does not thaw: %v", s.Addr, err)
	}
}

// free returns an address that nobody listens on. Its port is below those that
// systems give to clients: who dials a server that is dead, from its own port, would
// be connected to itself and keep the port from it.
func free(t testing.TB) string {
	t.Helper()
	for range 50 {
		addr := fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// folder is what a folder has in it, with nothing left out: it is copied for each
// server, and making it takes a second.
type folder []entry

type entry struct {
	path string
	dir  bool
	text []byte
}

// readFolder reads one, and removes it.
func readFolder(path string) (f folder, err error) {
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		e := entry{dir: d.IsDir()}
		if e.path, err = filepath.Rel(path, p); err == nil && !e.dir {
			e.text, err = os.ReadFile(p)
		}
		f = append(f, e)
		return err
	})
	return f, errors.Join(err, os.RemoveAll(path))
}

func (f folder) write(path string, own func(string) error) error {
	for _, e := range f {
		p := filepath.Join(path, e.path)
		var err error
		if e.dir {
			err = os.Mkdir(p, 0o700)
		} else {
			err = os.WriteFile(p, e.text, 0o600)
		}
		if err := errors.Join(err, own(p)); err != nil {
			return err
		}
	}
	return nil
}
