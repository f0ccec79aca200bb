package ginauth_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

// The address of a session is what core makes of it. Gin's own proxies, platforms
// and headers have no say, whatever they are.
func TestClientIsNotGins(t *testing.T) {
	const liar = "203.0.113.9"
	believing := map[string]func(*gin.Engine) error{
		"as it comes":  func(*gin.Engine) error { return nil },
		"everybody":    func(e *gin.Engine) error { return e.SetTrustedProxies([]string{"0.0.0.0/0", "::/0"}) },
		"this machine": func(e *gin.Engine) error { return e.SetTrustedProxies([]string{"127.0.0.1", "::1"}) },
		"nobody":       func(e *gin.Engine) error { return e.SetTrustedProxies(nil) },
		"other headers": func(e *gin.Engine) error {
			e.RemoteIPHeaders = []string{"X-Real-IP", "Forwarded", "X-Own"}
			return nil
		},
		"a platform": func(e *gin.Engine) error { e.TrustedPlatform = gin.PlatformCloudflare; return nil },
		"no header":  func(e *gin.Engine) error { e.ForwardedByClientIP = false; return nil },
	}
	lines := []string{
		"X-Forwarded-For: " + liar, "X-Real-IP: " + liar, "Forwarded: for=" + liar, "X-Own: " + liar,
		"CF-Connecting-IP: " + liar, "X-Appengine-Remote-Addr: " + liar, "Fly-Client-IP: " + liar,
	}
	for name, set := range believing {
		for _, trusted := range [][]netip.Prefix{nil, {netip.MustParsePrefix("127.0.0.0/8")}} {
			want := "127.0.0.1"
			if trusted != nil {
				want = liar // core's own proxy says so
			}
			s := newSite(t, func(c *core.Config) { c.TrustedProxies = trusted })
			if err := set(s.Engine); err != nil {
				t.Fatal(err)
			}
			var gins string
			s.Use(func(c *gin.Context) { gins = c.ClientIP() })
			ginauth.Mount(s, "/auth", s.auth.Routes())
			s.POST("/own", func(c *gin.Context) {
				pair, err := ginauth.SignIn(c, s.auth, core.SignInForm{Identity: core.Identity{UserID: "bob"}})
				if err != nil {
					t.Error(err)
				}
				c.String(200, pair.Session.IP)
			})
			if a := s.ask("POST", "/own", "", lines...); a.body != want {
				t.Errorf("Gin believes %s (%s), core %v: SignIn: got %s, want %s", name, gins, trusted, a.body, want)
			}
			login := s.ask("POST", "/auth/login", `{"username":"alice","password":"correct-horse"}`, append(lines, "Content-Type: application/json")...)
			refresh := s.ask("POST", "/auth/refresh", "", append(lines, "Cookie: refresh_token="+login.cookie("refresh_token"))...)
			s.server.Close()
			if login.status != 200 || refresh.status != 200 {
				t.Fatalf("got %d %s, %d %s", login.status, login.body, refresh.status, refresh.body)
			}
			sessions, err := s.auth.Sessions(t.Context(), "alice")
			if err != nil || len(sessions) != 1 {
				t.Fatal(len(sessions), err)
			}
			if got := fmt.Sprint(sessions[0].IP); got != want {
				t.Errorf("Gin believes %s (%s), core %v: login and refresh: got %s, want %s", name, gins, trusted, got, want)
			}
		}
	}
}
