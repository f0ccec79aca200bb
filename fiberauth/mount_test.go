package fiberauth_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/fiberauth"
)

// shows are routes that answer with their parameter.
func shows(name string) []core.Route {
	serve := func(r core.Request) core.Response {
		return core.Response{Status: 200, Body: []byte(fmt.Sprintf("%s %s %q", name, r.Method(), r.Param("user")))}
	}
	return []core.Route{
		{Method: "GET", Path: "/sessions", Serve: func(core.Request) core.Response {
			return core.Response{Status: 200, Body: []byte(name)}
		}},
		{Method: "POST", Path: "/users/{user}/logout", Serve: serve},
		{Method: "DELETE", Path: "/users/{user}", Serve: serve},
	}
}

// try asks an app without a socket.
func try(t *testing.T, app *fiber.App, method, target string) (int, string) {
	t.Helper()
	r, err := app.Test(httptest.NewRequest(method, target, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// Routes are mounted wherever Fiber lets a route be, below parameters too: the
// route's own counts, also if one of the app's has its name.
func TestMount(t *testing.T) {
	// Below a parameter a mounted app has no routes but those with parameters of
	// their own: Fiber does not look for any in the others.
	unseen := map[string]bool{"an app below a parameter": true, "an app in an app in a group": true}
	apps := map[string]struct {
		under string
		mount func(app *fiber.App)
	}{
		"the root":           {"", func(app *fiber.App) { fiberauth.Mount(app, "/", shows("here")) }},
		"no prefix":          {"", func(app *fiber.App) { fiberauth.Mount(app, "", shows("here")) }},
		"a prefix":           {"/a/b", func(app *fiber.App) { fiberauth.Mount(app, "/a/b", shows("here")) }},
		"a slash at its end": {"/a/b", func(app *fiber.App) { fiberauth.Mount(app, "/a/b/", shows("here")) }},
		"a group":            {"/a/b", func(app *fiber.App) { fiberauth.Mount(app.Group("/a"), "/b", shows("here")) }},
		"a group alone":      {"/a", func(app *fiber.App) { fiberauth.Mount(app.Group("/a"), "/", shows("here")) }},
		"a group in a group": {"/a/b/c", func(app *fiber.App) { fiberauth.Mount(app.Group("/a").Group("/b"), "/c", shows("here")) }},
		"Route": {"/a/b", func(app *fiber.App) {
			app.Route("/a", func(r fiber.Router) { fiberauth.Mount(r, "/b", shows("here")) })
		}},
		"a parameter":               {"/t/acme/a", func(app *fiber.App) { fiberauth.Mount(app.Group("/t/:tenant"), "/a", shows("here")) }},
		"a parameter in the prefix": {"/t/acme/a", func(app *fiber.App) { fiberauth.Mount(app, "/t/:tenant/a", shows("here")) }},
		"a parameter of the name":   {"/u/root/a", func(app *fiber.App) { fiberauth.Mount(app.Group("/u/:user"), "/a", shows("here")) }},
		"nothing but that":          {"/root", func(app *fiber.App) { fiberauth.Mount(app.Group("/:user"), "/", shows("here")) }},
		"a wildcard":                {"/w/x/y/a", func(app *fiber.App) { fiberauth.Mount(app.Group("/w/*/a"), "/", shows("here")) }},
		"an app": {"/a/b", func(app *fiber.App) {
			sub := fiber.New()
			fiberauth.Mount(sub, "/b", shows("here"))
			app.Mount("/a", sub)
		}},
		"an app below a parameter": {"/Acme/b", func(app *fiber.App) {
			sub := fiber.New()
			fiberauth.Mount(sub, "/b", shows("here"))
			app.Mount("/:user", sub)
		}},
		"an app in an app in a group": {"/a/root/c/d", func(app *fiber.App) {
			inner, sub := fiber.New(), fiber.New()
			fiberauth.Mount(inner.Group("/d"), "/", shows("here"))
			sub.Mount("/c", inner)
			app.Group("/a/:user").(*fiber.Group).Mount("/", sub)
		}},
	}
	configs := map[string]fiber.Config{
		"defaults": {}, "Immutable": {Immutable: true}, "strict": {StrictRouting: true, CaseSensitive: true}, "UnescapePath": {UnescapePath: true},
	}
	for setting, config := range configs {
		for name, tt := range apps {
			app := fiber.New(config)
			tt.mount(app)
			for _, ask := range []struct{ method, path, want string }{
				{"GET", "/sessions", "here"},
				{"HEAD", "/sessions", ""},
				{"POST", "/users/Al%20Ice%2541+b/logout", `here POST "Al Ice%41+b"`},
				{"POST", "/users/user/logout", `here POST "user"`},
				{"DELETE", "/users/logout", `here DELETE "logout"`},
			} {
				if unseen[name] && ask.path == "/sessions" {
					continue
				}
				if status, body := try(t, app, ask.method, tt.under+ask.path); status != 200 || body != ask.want {
					t.Errorf("%s, %s: %s %s: got %d %s, want %s", setting, name, ask.method, tt.under+ask.path, status, body, ask.want)
				}
			}
			for _, ask := range []string{"POST /sessions", "GET /users/alice/logout", "GET /users/alice", "OPTIONS /sessions", "POST /other"} {
				method, path, _ := strings.Cut(ask, " ")
				if status, body := try(t, app, method, tt.under+path); status < 404 || status > 405 {
					t.Errorf("%s, %s: %s: got %d %s, want no route", setting, name, ask, status, body)
				}
			}
		}
	}
}

// Two groups in one app, and a route of the app's own before them.
func TestMountBeside(t *testing.T) {
	app := fiber.New()
	app.Get("/a/sessions", func(c *fiber.Ctx) error { return c.SendString("the app's") })
	fiberauth.Mount(app, "/a", shows("one"))
	fiberauth.Mount(app, "/b", shows("two"))
	for target, want := range map[string]string{
		"/a/sessions":           "the app's",
		"/b/sessions":           "two",
		"/a/users/alice/logout": `one POST "alice"`,
		"/b/users/bob/logout":   `two POST "bob"`,
	} {
		method := "GET"
		if strings.HasSuffix(target, "logout") {
			method = "POST"
		}
		if status, body := try(t, app, method, target); status != 200 || body != want {
			t.Errorf("%s: got %d %s, want %s", target, status, body, want)
		}
	}
}
