// Package apptest proves an example server over HTTP: what each of them has to
// do, whatever framework it stands on. A server's test is
//
//	func TestMain(m *testing.M) { apptest.Main(m, main) }
//
//	func TestServer(t *testing.T) { apptest.Run(t, run) }
//
// and one that calls [RunHandlers].
package apptest

import (
	"context"
	"io"
	"os"
	"testing"
)

// Server is the function run of a server: it serves until ctx is done.
type Server func(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error

// inChild is set in a process that is to be the server.
const inChild = "SALLYPORT_EXAMPLE_MAIN"

// Main runs the tests or, in a process that one of them has started, main.
func Main(m *testing.M, main func()) {
	if os.Getenv(inChild) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Run runs every case as a subtest, each on servers of its own.
func Run(t *testing.T, run Server) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Server)
	}{
		{"a session", session},
		{"the password", password},
		{"disabling a user", disabling},
		{"bodies of the app's own routes", bodies},
		{"users by name", names},
		{"memory of requests", memory},
		{"HEAD", head},
		{"long headers", longHeaders},
		{"health", health},
		{"public keys", publicKeys},
		{"metrics", servedMetrics},
		{"other sites", otherSites},
		{"the admin group is the admin's", adminsOnly},
		{"what an admin sees", adminSees},
		{"what an admin ends", adminEnds},
		{"a second factor", secondFactor},
		{"a second factor of a native client", secondFactorInBody},
		{"a second factor is good once", secondFactorOnce},
		{"a second factor is not found by trying", secondFactorTries},
		{"risk", risk},
		{"risk of places", riskOfPlaces},
		{"mail", mailed},
		{"limits", limited},
		{"forwarded addresses", forwarded},
		{"the welcome", welcome},
		{"stopping", stopping},
		{"what core is told", settled},
		{"wrong settings", wrongSettings},
		{"the check", check},
		{"the same on Redis", same(onRedis)},
		{"the same on SQLite", same(onSQLite)},
		{"the same on Redis with history", same(onBoth)},
		{"several on Redis", several(onRedis)},
		{"several on SQLite", several(onSQLite)},
		{"several on Redis with history", several(onBoth)},
		{"history", history},
		{"no database", noDatabase},
		{"no places", noPlaces},
		{"limits on Redis", limitedOnRedis},
		{"Redis comes late", redisLate},
		{"the check on Redis", checkOnRedis},
		{"the command line", commandLine},
		{"the process", process},
		{"the log", secretsInLog},
		{"risk in the log", riskLogged},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, run) })
	}
}
