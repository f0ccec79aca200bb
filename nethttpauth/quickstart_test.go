package nethttpauth_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const quickstart = "../docs/quickstart.md"

// pageBlocks returns the blocks of a page in a language, in their order.
func pageBlocks(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(m[1]))
	}
	return blocks
}

// The programs of the quick start are built and run, and its commands are typed
// in: each answer is compared with the line below the command, in which an
// ellipsis stands for anything.
func TestQuickstart(t *testing.T) {
	programs := pageBlocks(t, quickstart, "go")
	if len(programs) != 3 {
		t.Fatalf("%d programs, want a server, a native client and a server in production", len(programs))
	}

	t.Run("server", func(t *testing.T) {
		server := serveProgram(t, programs[0])
		term := &pageConsole{t: t, addr: server.addr}
		for _, block := range pageBlocks(t, quickstart, "console") {
			answer := ""
			for line := range strings.Lines(block) {
				line = strings.TrimSuffix(line, "\n")
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					answer = term.run(command)
				} else if want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$"); !want.MatchString(answer) {
					t.Errorf("answer:\n%s\nthe page:\n%s", answer, line)
				}
			}
		}
		if term.asked < 6 {
			t.Errorf("%d requests", term.asked)
		}

		t.Run("native client", func(t *testing.T) {
			out, err := exec.Command(buildProgram(t, programs[1], server.addr)).CombinedOutput()
			if want := pageBlocks(t, quickstart, "text"); err != nil || len(want) != 1 || string(out) != want[0] {
				t.Errorf("%v:\n%s\nthe page:\n%s", err, out, want)
			}
		})
		t.Run("browser", func(t *testing.T) { runInNode(t, server.addr) })
	})

	t.Run("production", func(t *testing.T) {
		server := serveProgram(t, programs[2])
		term := &pageConsole{t: t, addr: server.addr}
		if got := term.run("curl http://127.0.0.1:8080/healthz"); got != `{"degraded":false}` {
			t.Errorf("health: %s", got)
		}
		if got := term.run(`curl --json '{"username":"alice","password":"x"}' http://127.0.0.1:8080/api/v1/auth/login`); !strings.Contains(got, "INVALID_CREDENTIALS") {
			t.Errorf("login: %s", got)
		}
		if err := server.stop(); err != nil {
			t.Errorf("stopped by SIGTERM: %v\n%s", err, server.log)
		}
	})
}

// buildProgram returns an executable of a program, in which the address of the page is
// replaced by another.
func buildProgram(t *testing.T, program, addr string) string {
	t.Helper()
	if !strings.Contains(program, "127.0.0.1:8080") {
		t.Fatal("the program has another address than the page's commands")
	}
	dir := t.TempDir()
	source, executable := filepath.Join(dir, "main.go"), filepath.Join(dir, "app")
	if err := os.WriteFile(source, []byte(strings.ReplaceAll(program, "127.0.0.1:8080", addr)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", executable, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return executable
}

// runningServer is a server of the page.
type runningServer struct {
	addr string
	log  *lockedBuffer
	stop func() error // by SIGTERM
}

// serveProgram builds a server and starts it at a free address.
func serveProgram(t *testing.T, program string) runningServer {
	t.Helper()
	for range 5 { // somebody else may take the address before the server does
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := free.Addr().String()
		free.Close()
		cmd := exec.Command(buildProgram(t, program, addr))
		cmd.Env = append(cmd.Environ(), "SECRET_KEY="+rand.Text()+rand.Text())
		s := runningServer{addr: addr, log: new(lockedBuffer)}
		cmd.Stdout, cmd.Stderr = s.log, s.log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		s.stop = func() error {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				return err
			}
			return <-ended
		}
		if listening(addr, ended) {
			t.Cleanup(func() { cmd.Process.Kill() })
			return s
		}
		if !strings.Contains(s.log.String(), "address already in use") {
			t.Fatalf("the server does not start:\n%s", s.log)
		}
	}
	t.Fatal("no free address")
	return runningServer{}
}

// listening waits until a server listens, or has ended.
func listening(addr string, ended chan error) bool {
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return true
		}
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// pageConsole runs the little of curl that the page needs.
type pageConsole struct {
	t     *testing.T
	addr  string
	token string
	last  string // answer
	jar   http.CookieJar
	asked int
}

var (
	consoleWord  = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	consoleToken = regexp.MustCompile(`"access_token":"([^"]+)"`)
)

func (s *pageConsole) run(command string) string {
	s.t.Helper()
	command, _, _ = strings.Cut(command, "   #")
	if strings.HasPrefix(command, "TOKEN=") {
		found := consoleToken.FindStringSubmatch(s.last)
		if found == nil {
			s.t.Fatalf("%s: no access token in %s", command, s.last)
		}
		s.token = found[1]
		return ""
	}
	words := consoleWord.FindAllString(command, -1)
	if words[0] != "curl" {
		s.t.Fatalf("not a command of this page: %s", command)
	}
	method, address, body := "GET", "", ""
	header, client := make(http.Header), &http.Client{}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		switch word := words[0]; word {
		case "-s":
		case "-X":
			method, words = words[1], words[1:]
		case "-H":
			name, value, _ := strings.Cut(strings.Trim(words[1], `"`), ": ")
			header.Set(name, strings.ReplaceAll(value, "$TOKEN", s.token))
			words = words[1:]
		case "--json":
			method, body = "POST", strings.Trim(words[1], "'")
			header.Set("Content-Type", "application/json")
			words = words[1:]
		case "-b", "-c":
			if s.jar == nil {
				s.jar, _ = cookiejar.New(nil)
			}
			client.Jar, words = s.jar, words[1:]
		default:
			address = word
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host != "127.0.0.1:8080" {
		s.t.Fatalf("%s: %v", command, err)
	}
	u.Host = s.addr
	r, err := http.NewRequest(method, u.String(), strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	r.Header = header
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	s.asked++
	s.last = strings.TrimSuffix(string(answer), "\n")
	return s.last
}

// browserScript is what a browser adds to the page's script: an origin, cookies by
// their path, and where a request comes from. Then what a person does.
const browserScript = `
import { writeFileSync } from "node:fs";
const cookies = new Map(), bare = globalThis.fetch;
globalThis.fetch = async (path, options = {}) => {
  const headers = { ...options.headers, "Sec-Fetch-Site": "same-origin" };
  const sent = [...cookies].filter(([, c]) => path.startsWith(c.path)).map(([name, c]) => name + "=" + c.value);
  if (sent.length) headers.Cookie = sent.join("; ");
  const res = await bare("http://" + process.argv[2] + path, { ...options, headers });
  for (const line of res.headers.getSetCookie()) {
    const [, name, value, path] = /^([^=]+)=([^;]*); Path=([^;]+)/.exec(line);
    if (/Max-Age=0/.test(line)) cookies.delete(name); else cookies.set(name, { value, path });
  }
  return res;
};
const page = await import("./client.mjs");
const say = (...words) => console.log(words.join(" "));
const me = async (p) => {
  const res = await p.api("/api/v1/me"), body = await res?.json();
  return res ? res.status + " " + (body.user_id ?? body.code) : "nobody";
};
say("at first:", await me(page));
say("a wrong password:", (await page.login("alice", "x")).code);
say("signed in:", (await page.login("alice", "correct-horse")).ok, await me(page));
const other = await import("./client.mjs?other tab");
const tabs = await Promise.all([page.refresh(), page.refresh(), other.refresh()]);
say("at the same time:", tabs.map((t) => t.ok), await me(page), await me(other));
say("reloaded:", await me(await import("./client.mjs?reloaded")));
await page.logout();
say("signed out:", await me(page), await me(other));
`

// The page's script works against the page's server.
func runInNode(t *testing.T, addr string) {
	node, err := exec.LookPath("node")
	if errors.Is(err, exec.ErrNotFound) {
		if os.Getenv("CI") != "" {
			t.Fatal("node is missing, which runs the script")
		}
		t.Skip("node is missing, which runs the script")
	}
	scripts := pageBlocks(t, quickstart, "js")
	if err != nil || len(scripts) != 1 {
		t.Fatalf("%v, %d scripts", err, len(scripts))
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"client.mjs": scripts[0], "browser.mjs": browserScript} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(node, filepath.Join(dir, "browser.mjs"), addr).CombinedOutput()
	want := `at first: nobody
a wrong password: INVALID_CREDENTIALS
signed in: true 200 alice
at the same time: true,true,true 200 alice 200 alice
reloaded: 200 alice
signed out: nobody 401 TOKEN_REVOKED
`
	if err != nil || !bytes.Equal(out, []byte(want)) {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, out, want)
	}
}
