package apptest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

const (
	enrollPath  = "/api/v1/totp/enroll"
	confirmPath = "/api/v1/totp/confirm"
	stepUpPath  = "/api/v1/auth/step-up"
	loginPath   = "/api/v1/auth/login"
)

// generator is a user's authenticator app. Its codes are of the step in which the test
// began, and so good for some thirty seconds at least.
type generator struct {
	t      *testing.T
	secret string
	began  time.Time
}

// code is that of the step in which the test began, or of a later one.
func (g *generator) code(later int) string {
	g.t.Helper()
	code, err := totp.GenerateCode(g.secret, g.began.Add(time.Duration(later)*30*time.Second))
	if err != nil {
		g.t.Fatal(err)
	}
	return code
}

// enroll gives a user who has signed in a generator that is confirmed. It has used up
// the code of its first step.
func (b *browser) enroll() *generator {
	b.t.Helper()
	g := &generator{t: b.t, began: time.Now(), secret: b.post(enrollPath, "")["secret"].(string)}
	b.equal("confirm", b.post(confirmPath, `{"code":"`+g.code(0)+`"}`), `{"message":"second factor confirmed"}`)
	return g
}

// half is the first half of a sign-in: its password. It returns what waits.
func (b *browser) half(user, more string) string {
	b.t.Helper()
	out := b.want(401, "STEP_UP_REQUIRED", "POST", loginPath, `{"username":"`+user+`","password":"`+passwords[user]+`"`+more+`}`)
	pending, _ := out["pending"].(string)
	if pending == "" || out["expires_in"] != 300.0 || out["access_token"] != nil {
		b.t.Fatalf("a sign-in that waits: got %v", out)
	}
	return pending
}

func stepUpBody(pending, code string) string {
	return `{"pending":"` + pending + `","code":"` + code + `"}`
}

// A user with an authenticator app needs a code of it to sign in, and nothing is open
// until then.
func secondFactor(t *testing.T, run Server) {
	s := start(t, run, map[string]string{"LOGIN_LIMIT": "off"})
	alice, phone, thief := s.browser(t), s.browser(t), s.browser(t)
	alice.want(401, "TOKEN_MISSING", "POST", enrollPath, "")
	alice.want(401, "TOKEN_MISSING", "POST", confirmPath, `{"code":"000000"}`)
	alice.signIn("alice")
	alice.want(409, "TOTP_NOT_ENROLLED", "POST", confirmPath, `{"code":"000000"}`)

	out := alice.post(enrollPath, "")
	secret, _ := out["secret"].(string)
	link, err := url.Parse(fmt.Sprint(out["otpauth_url"]))
	if err != nil || len(out) != 2 || len(secret) < 26 || link.Scheme != "otpauth" || link.Host != "totp" || link.Query().Get("secret") != secret || !strings.Contains(link.Path, "alice") {
		t.Errorf("enroll: got %v, %v", out, err)
	}
	alice.want(401, "INVALID_CREDENTIALS", "POST", confirmPath, `{"code":"abcdef"}`)
	alice.want(400, "BAD_REQUEST", "POST", confirmPath, `{}`)
	whole := phone.post(loginPath, `{"username":"alice","password":"correct-horse"}`) // it is not confirmed
	g := alice.enroll()
	alice.want(409, "TOTP_ENROLLED", "POST", enrollPath, "")
	alice.want(409, "TOTP_ENROLLED", "POST", confirmPath, `{"code":"`+g.code(1)+`"}`)

	phone = s.browser(t)
	pending := phone.half("alice", "")
	phone.want(401, "TOKEN_MISSING", "GET", mePath, "")
	phone.want(401, "REFRESH_TOKEN_MISSING", "POST", "/api/v1/auth/refresh", "")
	phone.want(401, "REFRESH_TOKEN_INVALID", "POST", "/api/v1/auth/refresh", `{"refresh_token":"`+pending+`"}`)
	phone.want(401, "TOKEN_INVALID", "GET", mePath, "", "Authorization: Bearer "+pending)
	phone.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody(pending, g.code(0))) // used up
	phone.want(400, "BAD_REQUEST", "POST", stepUpPath, `{"pending":"`+pending+`"}`)
	phone.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody("sppt_x", g.code(1)))
	thief.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody(pending, g.code(1))) // in another browser
	phone.want(403, "CROSS_SITE", "POST", stepUpPath, stepUpBody(pending, g.code(1)), "Sec-Fetch-Site: cross-site")

	out = phone.post(stepUpPath, stepUpBody(pending, g.code(1)))
	if got, want := slices.Sorted(maps.Keys(out)), slices.Sorted(maps.Keys(whole)); !slices.Equal(got, want) {
		t.Errorf("a second factor is answered with %v, want %v as a password is", got, want)
	}
	phone.token = out["access_token"].(string)
	if claims := claimsOf(t, phone.token); !strings.Contains(claims, `"amr":["pwd","otp"]`) {
		t.Errorf("the token says %s", claims)
	}
	phone.get(mePath)
	phone.token = phone.post("/api/v1/auth/refresh", "")["access_token"].(string)
	phone.get(mePath)

	phone.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody(pending, g.code(1)))                // waits no longer
	again := phone.half("alice", "")                                                                          // and the same code again
	phone.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody(again, g.code(1)))                  //
	thief.want(401, "INVALID_CREDENTIALS", "POST", loginPath, `{"username":"alice","password":"`+secret+`"}`) // says nothing of a second factor
	thief.signIn("bob")                                                                                       // who has none
}

// A native client names its device itself, and gets what it asked for.
func secondFactorInBody(t *testing.T, run Server) {
	s := start(t, run, map[string]string{"LOGIN_LIMIT": "off"})
	bob := s.browser(t)
	bob.signIn("bob")
	g := bob.enroll()
	app := s.browser(t)
	pending := app.half("bob", `,"delivery":"body","device_id":"phone-1"`)
	body := strings.TrimSuffix(stepUpBody(pending, g.code(1)), "}")
	app.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, body+`,"delivery":"body","device_id":"phone-2"}`)
	app.want(400, "BAD_REQUEST", "POST", stepUpPath, body+`,"delivery":"mail","device_id":"phone-1"}`)
	out := app.post(stepUpPath, body+`,"delivery":"body","device_id":"phone-1"}`)
	if _, ok := out["refresh_token"].(string); !ok {
		t.Errorf("got %v, want a refresh token", out)
	}
}

// Of sign-ins that present one code at once, one goes on.
func secondFactorOnce(t *testing.T, run Server) {
	s := start(t, run, map[string]string{"LOGIN_LIMIT": "off"})
	bob := s.browser(t)
	bob.signIn("bob")
	g := bob.enroll()
	browsers, pendings := make([]*browser, 4), make([]string, 4)
	for i := range browsers {
		browsers[i] = s.browser(t)
		pendings[i] = browsers[i].half("bob", "")
	}
	statuses := make([]int, len(browsers))
	var all sync.WaitGroup
	for i, b := range browsers {
		all.Go(func() {
			res := b.send("POST", stepUpPath, stepUpBody(pendings[i], g.code(1)))
			res.Body.Close()
			statuses[i] = res.StatusCode
		})
	}
	all.Wait()
	slices.Sort(statuses)
	if !slices.Equal(statuses, []int{200, 401, 401, 401}) {
		t.Errorf("got %v, want one to pass", statuses)
	}
}

// Codes are not to be found by trying: after five a minute nobody gets in, with the
// right one either.
func secondFactorTries(t *testing.T, run Server) {
	s := start(t, run, nil)
	bob := s.browser(t)
	bob.signIn("bob")
	g := bob.enroll()
	thief := s.browser(t)
	pending := thief.half("bob", "")
	for range 5 {
		thief.want(401, "INVALID_CREDENTIALS", "POST", stepUpPath, stepUpBody(pending, "abcdef"))
	}
	thief.want(429, "TOO_MANY_REQUESTS", "POST", stepUpPath, stepUpBody(pending, g.code(1)))
}

// claimsOf is what an access token says.
func claimsOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil {
		t.Fatal(err)
	}
	return string(claims)
}
