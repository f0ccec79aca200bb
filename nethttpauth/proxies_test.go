package nethttpauth_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/sallyport-go/sallyport/core"
)

// P35: the address of a session is whom a trusted proxy names, and the peer for
// everybody else.
func TestClientBehindProxies(t *testing.T) {
	const peer, proxy, client, liar = "198.51.100.7", "10.0.0.2", "203.0.113.9", "192.0.2.66"
	for _, forwarded := range []string{"X-Forwarded-For", "Forwarded"} {
		other, say := "Forwarded", func(addr string) string { return addr }
		if forwarded == "Forwarded" {
			other, say = "X-Forwarded-For", func(addr string) string { return `proto=https;for="` + addr + `"` }
		}
		onSite(t, func(c *core.Config) {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			c.ForwardedHeader = forwarded
		}, func(t *testing.T, s *site) {
			for _, tt := range []struct {
				rule  string
				peer  string
				lines []string
				want  string
			}{
				{"nobody believes a stranger", peer, []string{say(liar)}, peer},
				{"a proxy is believed", proxy, []string{say(client)}, client},
				{"a proxy that says nothing stands for itself", proxy, nil, proxy},
				{"what the client wrote is left of what the proxy wrote", proxy, []string{say(liar) + ", " + say(client)}, client},
				{"on another line as well", proxy, []string{say(liar), say(client)}, client},
				{"through two proxies", proxy, []string{say(liar) + ", " + say(client) + ", " + say("10.0.0.3")}, client},
				{"junk ends the walk", proxy, []string{say(liar) + ", junk, " + say("10.0.0.3")}, "10.0.0.3"},
				{"an open quote swallows nothing", proxy, []string{`for="` + liar, say(client)}, client},
			} {
				p := s.signIn("alice", func(r *http.Request) { r.RemoteAddr = tt.peer + ":4711" },
					header(other, "for="+liar), header("X-Real-IP", liar),
					func(r *http.Request) { r.Header[forwarded] = tt.lines })
				if p.Session.IP != tt.want {
					t.Errorf("%s: %s: got %q, want %q", forwarded, tt.rule, p.Session.IP, tt.want)
				}
				next := s.post("/refresh", "", refreshCookie(p.Cookie), func(r *http.Request) {
					r.RemoteAddr, r.Header[forwarded] = tt.peer+":4711", tt.lines
				}).pair()
				if next.Session.IP != tt.want {
					t.Errorf("%s: %s: got %q at refresh, want %q", forwarded, tt.rule, next.Session.IP, tt.want)
				}
			}
		})
	}
}
