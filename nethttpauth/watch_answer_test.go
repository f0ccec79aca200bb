package nethttpauth_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// What becomes of the answer of a watched handler.

// unchanged checks that their answer came through as it was, and that nothing
// began.
func unchanged(s *site, name string, a answer, status int, body string) {
	s.t.Helper()
	if a.status != status || a.body != body {
		s.t.Errorf("%s: got %d %.200s, want %d %.200s", name, a.status, a.body, status, body)
	}
	a.of(name).cookies("outer=1", "theirs=1")
	a.of(name).is("Cache-Control", "max-age=60")
	a.of(name).is("X-Outer", "stays")
	if n, err := s.auth.Count(s.t.Context(), "alice"); n != 0 || err != nil {
		s.t.Errorf("%s: %d sessions (%v)", name, n, err)
	}
}

// Whatever is no login with a token goes out as it came, and is no event.
func TestWatchUntouched(t *testing.T) {
	onSite(t, acceptForeign, func(t *testing.T, s *site) {
		var status int
		var body string
		watched(s, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Add("Set-Cookie", "theirs=1")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
		token := foreignToken(t, "alice", nil)
		good := `{"access_token":"` + token + `"}`
		for _, tt := range []struct {
			name   string
			status int
			body   string
		}{
			{"a failed login", 401, `{"error":"wrong password"}`},
			{"a failed login, with a token", 401, good},
			{"a redirect", 302, good},
			{"not modified", 304, ``},
			{"a server error", 500, good},
			{"a second factor is asked for", 200, `{"pending":true}`},
			{"no body", 204, ``},
			{"nothing", 200, ``},
			{"a page", 200, `<html>` + good},
			{"a list", 200, `[` + good + `]`},
			{"text", 200, `"` + token + `"`},
			{"a member of another name", 200, `{"token":"` + token + `"}`},
			{"in another letter case", 200, `{"Access_Token":"` + token + `"}`},
			{"deeper", 200, `{"data":` + good + `}`},
			{"no text", 200, `{"access_token":["` + token + `"]}`},
			{"null", 200, `{"access_token":null}`},
			{"empty", 200, `{"access_token":""}`},
			{"twice", 200, `{"access_token":"x","access_token":"` + token + `"}`},
			{"cut off", 200, good[:len(good)-1]},
			{"two", 200, good + good},
			{"not UTF-8", 200, `{"x":"` + "\xff" + `","access_token":"` + token + `"}`},
		} {
			status, body = tt.status, tt.body
			unchanged(s, tt.name, s.post("/theirs", ""), tt.status, tt.body)
		}
		if len(s.failures) > 0 {
			t.Errorf("failures: %v", s.failures)
		}
	})
}

// What is flushed or too long goes out as it comes, and is not watched.
func TestWatchTooLate(t *testing.T) {
	full := strings.Repeat(" ", core.LoginAnswerMax)
	for _, tt := range []struct {
		name    string
		answer  func(w http.ResponseWriter, body string)
		watched bool
	}{
		{"at once", func(w http.ResponseWriter, body string) { fmt.Fprint(w, body) }, true},
		{"a byte at a time", func(w http.ResponseWriter, body string) {
			for i := range len(body) {
				fmt.Fprint(w, body[i:i+1])
			}
		}, true},
		{"as long as may be", func(w http.ResponseWriter, body string) { fmt.Fprint(w, body, full[len(body):]) }, true},
		{"a byte longer", func(w http.ResponseWriter, body string) { fmt.Fprint(w, body, full[len(body)-1:]) }, false},
		{"a byte longer, in two", func(w http.ResponseWriter, body string) {
			fmt.Fprint(w, body, full[len(body):])
			fmt.Fprint(w, " ")
		}, false},
		{"flushed before", func(w http.ResponseWriter, body string) {
			w.(http.Flusher).Flush()
			fmt.Fprint(w, body)
		}, false},
		{"flushed in between", func(w http.ResponseWriter, body string) {
			fmt.Fprint(w, body[:9])
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
			fmt.Fprint(w, body[9:])
		}, false},
	} {
		onSite(t, acceptForeign, func(t *testing.T, s *site) {
			body := `{"access_token":"` + foreignToken(t, "alice", nil) + `"}`
			watched(s, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Add("Set-Cookie", "theirs=1")
				tt.answer(w, body)
			})
			a := s.post("/theirs", "")
			if !tt.watched {
				unchanged(s, tt.name, a, 200, a.body)
			} else if a.cookie("refresh_token") == "" {
				t.Errorf("%s: got %v", tt.name, a.header)
			}
			if strings.TrimRight(a.body, " ") != body || len(a.body) > len(full)+1 {
				t.Errorf("%s: got %.300s", tt.name, a.body)
			}
			if a.header.Get("X-Outer") != "stays" {
				t.Errorf("%s: got %v", tt.name, a.header)
			}
		})
	}
}

// An answer that is not watched is not held back.
func TestWatchStreams(t *testing.T) {
	onSite(t, nil, func(t *testing.T, s *site) {
		half := strings.Repeat("x", core.LoginAnswerMax/2)
		w := httptest.NewRecorder()
		nethttpauth.Watch(s.auth)(http.HandlerFunc(func(held http.ResponseWriter, _ *http.Request) {
			for i := range 10 {
				fmt.Fprint(held, half)
				want := (i + 1) * len(half)
				if want <= core.LoginAnswerMax {
					want = 0
				}
				if w.Body.Len() != want {
					t.Errorf("after %d halves of what is held: %d bytes are out, want %d", i+1, w.Body.Len(), want)
				}
			}
		})).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	})
}

// A handler that panics answers nothing: whoever recovers does.
func TestWatchPanic(t *testing.T) {
	onSite(t, acceptForeign, func(t *testing.T, s *site) {
		for _, why := range []any{http.ErrAbortHandler, "their bug"} {
			login := func(w http.ResponseWriter, _ *http.Request) {
				loginAnswer(w, foreignToken(t, "alice", nil))
				panic(why)
			}
			w := httptest.NewRecorder()
			w.Header().Set("X-Outer", "stays")
			func() {
				defer func() {
					if got := recover(); got != why {
						t.Errorf("recovered %v, want %v", got, why)
					}
				}()
				nethttpauth.Watch(s.auth)(http.HandlerFunc(login)).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
			}()
			http.Error(w, "sorry", http.StatusInternalServerError)
			if w.Code != 500 || w.Body.String() != "sorry\n" || len(w.Header()["Set-Cookie"]) > 0 || w.Header().Get("X-Outer") != "stays" || w.Header().Get("X-Theirs") != "" {
				t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
			}
		}
		if n, err := s.auth.Count(t.Context(), "alice"); n != 0 || err != nil {
			t.Errorf("%d sessions (%v)", n, err)
		}
	})
}

// An answer without a token is the same on the wire, watched or not.
func TestWatchOnTheWire(t *testing.T) {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: testKey}}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	full := strings.Repeat("x", core.LoginAnswerMax)
	for name, login := range map[string]http.HandlerFunc{
		"nothing":      func(http.ResponseWriter, *http.Request) {},
		"text":         func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"a page":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>", "</html>") },
		"a status":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"no content":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"two statuses": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "hello")
		},
		"its length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "hello")
		},
		"a length that it does not reach": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			fmt.Fprint(w, "hello")
		},
		"headers": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header()["x-lower"] = []string{"1", "2"}
			w.Header()["Date"] = nil
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "hello")
		},
		"a header taken away": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("X-Outer")
			fmt.Fprint(w, "hello")
		},
		"a header taken away, flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("X-Outer")
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "hello")
		},
		"an early answer": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProcessing)
			fmt.Fprint(w, "hello")
		},
		"flushed": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "hello")
			w.Header().Set(http.TrailerPrefix+"X-Trailer", "1")
		},
		"as long as may be": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, full) },
		"longer":            func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>"+full) },
		"longer, in two": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			io.WriteString(w, full)
			io.WriteString(w, "y")
		},
		"copied":  func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, strings.NewReader(full+full)) },
		"aborted": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello"); panic(http.ErrAbortHandler) },
		"aborted when flushed": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hello")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for _, method := range []string{http.MethodPost, http.MethodHead} {
			plain, watched := onTheWire(t, method, login), onTheWire(t, method, nethttpauth.Watch(auth)(login))
			if plain != watched {
				t.Errorf("%s, %s:\n  plain %s\nwatched %s", name, method, plain, watched)
			}
			if name == "text" && !strings.Contains(watched, "length 5") {
				t.Errorf("%s, %s: got %s", name, method, watched)
			}
		}
	}

	// An early answer is not the answer.
	got := onTheWire(t, http.MethodPost, nethttpauth.Watch(auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProcessing)
		p, err := auth.SignIn(r.Context(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}})
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"access_token":%q}`, p.AccessToken)
	})))
	if !strings.HasPrefix(got, "200 ") || !strings.Contains(got, "refresh_token=sprt_") {
		t.Errorf("after an early answer: got %s", got)
	}
}

// onTheWire asks a handler behind a server, and a middleware that sets a header,
// and returns all that a client can tell of the answer.
func onTheWire(t *testing.T, method string, h http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Outer", "1")
		h.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := server.Client().Do(r)
	if err != nil {
		return strings.ReplaceAll(err.Error(), server.URL, "")
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if a.Header.Get("Date") != "" {
		a.Header.Set("Date", "some")
	}
	return fmt.Sprintf("%d %v, length %d, %v, body of %d: %.20s, %v, trailers %v", a.StatusCode, a.Header, a.ContentLength, a.TransferEncoding, len(body), body, err, a.Trailer)
}
