// Package client is who uses the apps of the migration guide in their tests: a
// browser or a native client.
package client

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// Server is an app that runs.
type Server struct {
	URL       string
	transport http.RoundTripper
}

// Serve runs an app on net/http, or on a framework that stands on it.
func Serve(t testing.TB, app http.Handler) Server {
	server := httptest.NewTLSServer(app)
	t.Cleanup(server.Close)
	return Server{server.URL, server.Client().Transport}
}

// ServeFiber runs an app on Fiber.
func ServeFiber(t testing.TB, app *fiber.App) Server {
	lent := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(lent.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(tls.NewListener(listener, lent.TLS)) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithTimeout(0); err != nil {
			t.Log(err)
		}
		<-done
	})
	return Server{"https://" + listener.Addr().String(), lent.Client().Transport}
}

// Client is somebody's browser, or a program without cookies.
type Client struct {
	Token string // sent as the bearer token, if there is one
	Site  string // Sec-Fetch-Site, if there is one

	t    testing.TB
	at   Server
	http http.Client
}

// Browser keeps cookies and says where its requests come from.
func Browser(t testing.TB, at Server) *Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{t: t, at: at, Site: "same-origin", http: http.Client{Jar: jar, Transport: at.transport}}
}

// Native keeps no cookies.
func Native(t testing.TB, at Server) *Client {
	return &Client{t: t, at: at, http: http.Client{Transport: at.transport}}
}

// Move has the client meet another version of the app from here on, as after a
// deploy.
func (c *Client) Move(to Server) { c.at = to }

// Copy is somebody who has what the client has: its token and its cookies.
func (c *Client) Copy() *Client {
	twin := *c
	if c.http.Jar != nil {
		twin.http.Jar = nil
		for _, below := range []string{"/auth/refresh", "/session/refresh"} { // where cookies travel here
			u, err := url.Parse(c.at.URL + below)
			if err != nil {
				c.t.Fatal(err)
			}
			for _, cookie := range c.http.Jar.Cookies(u) {
				twin.SetCookie(cookie.Name, cookie.Value)
			}
		}
	}
	return &twin
}

// Answer is what came back.
type Answer struct {
	What    string // the request
	Status  int
	Text    string
	Members map[string]any // of a JSON object
	Cookies []*http.Cookie
}

// Send sends a request: url.Values as a form, anything else but nil as JSON.
func (c *Client) Send(method, path string, body any) Answer {
	c.t.Helper()
	var content io.Reader
	var contentType string
	switch body := body.(type) {
	case nil:
	case url.Values:
		content, contentType = strings.NewReader(body.Encode()), "application/x-www-form-urlencoded"
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		content, contentType = bytes.NewReader(raw), "application/json"
	}
	r, err := http.NewRequest(method, c.at.URL+path, content)
	if err != nil {
		c.t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": contentType, "Sec-Fetch-Site": c.Site} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	out := Answer{What: method + " " + path, Status: answer.StatusCode, Text: string(text), Cookies: answer.Cookies()}
	if err := json.Unmarshal(text, &out.Members); err != nil {
		out.Members = nil
	}
	return out
}

// Want sends a request whose answer must have a status.
func (c *Client) Want(status int, method, path string, body any) Answer {
	c.t.Helper()
	a := c.Send(method, path, body)
	if a.Status != status {
		c.t.Fatalf("%s: got %d %s, want %d", a.What, a.Status, a.Text, status)
	}
	return a
}

// Member is a string member of the answer, which must be there.
func (c *Client) Member(a Answer, name string) string {
	c.t.Helper()
	s, _ := a.Members[name].(string)
	if s == "" {
		c.t.Fatalf("%s: got %s, want a member %s", a.What, a.Text, name)
	}
	return s
}

// SetCookie gives the client a cookie for every path.
func (c *Client) SetCookie(name, value string) {
	if c.http.Jar == nil {
		c.http.Jar, _ = cookiejar.New(nil) // it never fails
	}
	u, err := url.Parse(c.at.URL)
	if err != nil {
		c.t.Fatal(err)
	}
	c.http.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}
