package apptest

import (
	"regexp"
	"strings"
	"testing"
)

// logLine is what the audit writes, and nothing else may.
var logLine = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d INFO [a-z_]+ `)

// What the process writes shows no query, no header, no token and no password.
func secretsInLog(t *testing.T, _ Server) {
	s, wrote := spawn(t, command(t, nil))
	b := s.browser(t)
	b.signIn("bob")
	secrets := []string{b.token, "canary-query", "canary-agent", "canary-header", "canary-password", "canary-device", "canary-nowhere"}
	b.do("POST", "/api/v1/auth/login?q=canary-query", `{"username":"bob","password":"canary-password","device_id":"canary-device"}`, "User-Agent: canary-agent", "X-Anything: canary-header")
	b.do("GET", mePath+"?access_token=canary-query", "", "User-Agent: canary-agent", "Cookie: refresh_token=canary-header")
	b.do("POST", passwordPath+"?q=canary-query", `{"old":"canary-password","new":"canary-password"}`, "User-Agent: canary-agent")
	b.do("POST", "/api/v1/auth/refresh?q=canary-query", "", "User-Agent: canary-agent")
	b.do("POST", "/api/v1/auth/logout?q=canary-query", "", "User-Agent: canary-agent")
	b.send("GET", "/canary-nowhere?q=canary-query", "", "User-Agent: canary-agent") // the framework's to answer
	b.send("DELETE", mePath+"?q=canary-query", "", "User-Agent: canary-agent")      // likewise
	b.http.CloseIdleConnections()                                                   // Fiber waits for one that was never used
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	log, ok := strings.CutPrefix(wrote.String(), s.welcome)
	if !ok || !strings.HasPrefix(s.welcome, "sallyport on ") {
		t.Errorf("it begins with %q, want the welcome", s.welcome)
	}
	for line := range strings.Lines(log) {
		if !logLine.MatchString(line) {
			t.Errorf("an odd line in the log: %q", line)
		}
	}
	for _, event := range []string{"signed_in", "sign_in_refused", "refreshed", "session_ended"} {
		if !strings.Contains(wrote.String(), event) {
			t.Errorf("no record of %s in the log: %s", event, wrote)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(wrote.String(), secret) {
			t.Errorf("the log shows %q: %s", secret, wrote)
		}
	}
}
