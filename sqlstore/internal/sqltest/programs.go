package sqltest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// find returns where a program is: in a folder of PATH, or in one that Debian keeps
// from users.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		if other, missing := exec.LookPath(filepath.Join("/usr/sbin", name)); missing == nil {
			return other, nil
		}
	}
	return path, err
}

// findMariaDB finds its programs. They run as whoever the test runs as.
var findMariaDB = sync.OnceValues(func() (program, error) {
	server, err := find("mariadbd")
	if err != nil {
		return program{}, err
	}
	install, err := find("mariadb-install-db")
	if err != nil {
		return program{}, err
	}
	base := func(data string) []string {
		args := []string{"--no-defaults", "--datadir=" + data, "--innodb-log-file-size=4M", "--skip-name-resolve"}
		if os.Geteuid() == 0 {
			args = append(args, "--user=root") // or it refuses
		}
		return args
	}
	return program{
		at: mariadbAt,
		run: func(data, port string) *exec.Cmd {
			return exec.Command(server, append(
				base(data), "--bind-address=127.0.0.1", "--port="+port, "--socket="+data+".sock", "--pid-file="+data+".pid",
				"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=16M", "--aria-pagecache-buffer-size=1M", "--key-buffer-size=1M",
				"--innodb-buffer-pool-dump-at-shutdown=0", "--innodb-buffer-pool-load-at-startup=0", "--max-connections=200",
			)...)
		},
		where: "SELECT @@datadir",
		fresh: sync.OnceValues(func() (folder, error) {
			return makeFolder(func(string) error { return nil }, func(data string) *exec.Cmd {
				return exec.Command(install, append(base(data), "--auth-root-authentication-method=normal", "--skip-test-db")...)
			})
		}),
		own:   func(string) error { return nil },
		after: func(string) {},
	}, nil
})

// findPostgres finds its programs, of the newest version that there is. Root has them
// run as the user postgres: they refuse to run as root.
var findPostgres = sync.OnceValues(func() (program, error) {
	server, err := exec.LookPath("postgres")
	if packaged, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); len(packaged) > 0 {
		server, err = slices.MaxFunc(packaged, func(a, b string) int { return cmp.Compare(version(a), version(b)) }), nil
	}
	if err != nil {
		return program{}, err
	}
	as, own := []string{"env"}, func(string) error { return nil }
	if os.Geteuid() == 0 {
		postgres, err := user.Lookup("postgres")
		if err != nil {
			return program{}, err
		}
		uid, err := strconv.Atoi(postgres.Uid)
		if err != nil {
			return program{}, err
		}
		gid, err := strconv.Atoi(postgres.Gid)
		if err != nil {
			return program{}, err
		}
		as = []string{"setpriv", "--reuid=" + postgres.Uid, "--regid=" + postgres.Gid, "--init-groups"}
		own = func(path string) error { return os.Chown(path, uid, gid) }
	}
	command := func(args ...string) *exec.Cmd {
		args = append(slices.Clone(as), args...) // which becomes that command: its process is the server's
		return exec.Command(args[0], args[1:]...)
	}
	return program{
		at: postgresAt,
		run: func(data, port string) *exec.Cmd {
			args := []string{server, "-D", data, "-p", port}
			if version(server) >= 14 {
				args = append(args, "-c", "recovery_init_sync_method=syncfs") // as sound as to sync each file, and much faster
			}
			for _, setting := range []string{
				"listen_addresses=127.0.0.1", "unix_socket_directories=", "dynamic_shared_memory_type=mmap", // nothing is left elsewhere
				"fsync=on", "synchronous_commit=on", "shared_buffers=16MB", "max_connections=200",
			} {
				args = append(args, "-c", setting)
			}
			return command(args...)
		},
		where: "SHOW data_directory",
		fresh: sync.OnceValues(func() (folder, error) {
			return makeFolder(own, func(data string) *exec.Cmd {
				return command(
					filepath.Join(filepath.Dir(server), "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
					"--no-sync", "--wal-segsize=1",
				)
			})
		}),
		own: own,
		after: func(data string) {
			// The lock of one that was killed names a piece of shared memory in its seventh line.
			lock, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
			if err != nil {
				return
			}
			if lines := strings.Split(string(lock), "\n"); len(lines) > 6 {
				if ids := strings.Fields(lines[6]); len(ids) == 2 {
					_ = exec.Command("ipcrm", "-m", ids[1]).Run()
				}
			}
		},
	}, nil
})

// version returns that of /usr/lib/postgresql/VERSION/bin/postgres, and 0 of one that
// is elsewhere.
func version(path string) float64 {
	v, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(filepath.Dir(path))), 64)
	return v
}

// makeFolder returns what a command makes of a folder that is not there yet.
func makeFolder(own func(string) error, command func(path string) *exec.Cmd) (folder, error) {
	dir, err := os.MkdirTemp("", "sqltest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := own(dir); err != nil {
		return nil, err
	}
	cmd := command(filepath.Join(dir, "data"))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return readFolder(filepath.Join(dir, "data"))
}
