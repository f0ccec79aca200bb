package apptest

import (
	"bufio"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Console types in what stands in a console block of a page, and compares each
// answer with the one that stands below the command. An ellipsis there stands
// for anything.
func Console(t *testing.T, run Server, block string) {
	term := &terminal{t: t, url: start(t, run, nil).url}
	answer := ""
	for line := range strings.Lines(block) {
		line = strings.TrimSuffix(line, "\n")
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			answer = term.run(command)
			continue
		}
		if want := pattern(line); !want.MatchString(answer) {
			t.Errorf("answer:\n%s\nthe page:\n%s", answer, line)
		}
		answer = ""
	}
	if term.asked < 5 {
		t.Errorf("%d requests", term.asked)
	}
}

// pattern matches a line in which an ellipsis stands for anything.
func pattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$")
}

// What the server says that there is to try works.
func welcome(t *testing.T, run Server) {
	s := start(t, run, nil)
	for _, want := range []string{"alice / correct-horse", "bob / battery-staple", "root / tr0ub4dor-and-3", "SECRET_KEY is not set: a random one", "10 sign-ins a minute of one account; unusual ones are told in this log"} {
		if !strings.Contains(s.welcome, want) {
			t.Errorf("no %q in:\n%s", want, s.welcome)
		}
	}
	term := &terminal{t: t, url: s.url}
	for line := range strings.Lines(s.welcome) {
		line, typed := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "  ")
		if !typed {
			continue
		}
		code := ""
		if strings.Contains(line, "# refused") {
			code = `"code":"TOKEN_REVOKED"`
		}
		if answer := term.run(line); !strings.Contains(answer, code) || code == "" && strings.Contains(answer, `"code"`) {
			t.Errorf("%s: %s", line, answer)
		}
	}
	if term.asked != 7 {
		t.Errorf("%d requests in:\n%s", term.asked, s.welcome)
	}

	set := start(t, run, map[string]string{"SECRET_KEY": rand.Text() + rand.Text(), "REFRESH_TOKEN_COOKIE_SECURE": "true", "LOGIN_LIMIT": "off", "SMTP_URL": "smtp://127.0.0.1:25", "MAIL_FROM": "auth@example.com"})
	if strings.Contains(set.welcome, "SECRET_KEY") || !strings.Contains(set.welcome, "need TLS") || !strings.Contains(set.welcome, "LOGIN_LIMIT is off: nothing is limited; unusual ones are told by mail\n") {
		t.Errorf("with a key, secure cookies, mail and no limits:\n%s", set.welcome)
	}
}

// terminal runs the little of a shell and of curl that the pages need.
type terminal struct {
	t     *testing.T
	url   string            // of the server, whatever the command says
	vars  map[string]string // NAME=... keeps the access token of the last answer
	last  string            // answer
	jar   http.CookieJar
	asked int
}

var (
	word        = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
	assignment  = regexp.MustCompile(`^([A-Z]+)=`)
	variable    = regexp.MustCompile(`\$[A-Z]+`)
	accessToken = regexp.MustCompile(`"access_token":"([^"]+)"`)
)

func (s *terminal) run(command string) string {
	s.t.Helper()
	command, _, _ = strings.Cut(command, "   #")
	if name := assignment.FindStringSubmatch(command); name != nil {
		found := accessToken.FindStringSubmatch(s.last)
		if found == nil {
			s.t.Fatalf("%s: no access token in %s", command, s.last)
		}
		if s.vars == nil {
			s.vars = make(map[string]string)
		}
		s.vars["$"+name[1]] = found[1]
		return ""
	}
	args := word.FindAllString(command, -1)
	if args[0] != "curl" {
		s.t.Fatalf("not a command of this page: %s", command)
	}
	method, address, body := "GET", "", ""
	header := make(http.Header)
	var reads, writes bool
	for i := 1; i < len(args); i++ {
		value := func() string {
			i++
			v := args[i]
			if v[0] != '\'' {
				v = variable.ReplaceAllStringFunc(v, func(name string) string { return s.vars[name] })
			}
			return strings.Trim(v, `'"`)
		}
		switch args[i] {
		case "-s":
		case "-X":
			method = value()
		case "-H":
			name, v, _ := strings.Cut(value(), ": ")
			header.Set(name, v)
		case "--json":
			method, body = "POST", value()
			header.Set("Content-Type", "application/json")
		case "-b":
			reads = value() == "jar"
		case "-c":
			writes = value() == "jar"
		default:
			address = args[i]
		}
	}
	u, err := url.Parse(address)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	r, err := http.NewRequest(method, s.url+u.RequestURI(), strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	r.Header = header
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if writes && !reads || s.jar == nil {
		s.jar, _ = cookiejar.New(nil)
	}
	if writes || reads {
		client.Jar = s.jar
	}
	res, err := client.Do(r)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	defer res.Body.Close()
	answer, err := bufio.NewReader(res.Body).ReadString('\n')
	if err != nil && err != io.EOF {
		s.t.Fatalf("%s: %v", command, err)
	}
	s.asked++
	s.last = strings.TrimSuffix(answer, "\n")
	return s.last
}
