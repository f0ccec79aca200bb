package adaptertest_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"

	"github.com/sallyport-go/sallyport/core"
)

// signIns replaces what SignIn makes of what core returned.
func signIns(done func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error)) func(b *bent) {
	return func(b *bent) {
		b.signIn = func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
			pair, cookies, err := auth.SignInFrom(request{b, r}, form)
			return done(w, pair, cookies, err)
		}
	}
}

var brokenSignIns = []broken{
	{
		name: "no cookies at sign-in",
		how: signIns(func(_ http.ResponseWriter, pair core.Pair, _ http.Header, err error) (core.Pair, error) {
			return pair, err
		}),
		caught: []string{"signin/cookies", "signin/browser"},
	},
	{
		name: "the first cookie at sign-in",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			if c := cookies.Get("Set-Cookie"); c != "" {
				w.Header().Add("Set-Cookie", c)
			}
			return pair, err
		}),
		caught: []string{"signin/cookies", "signin/browser"},
	},
	{
		name: "the app's cookies are replaced at sign-in",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			maps.Copy(w.Header(), cookies)
			return pair, err
		}),
		caught: []string{"signin/cookies"},
	},
	{
		name: "SignIn writes the answer",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			if err == nil {
				maps.Copy(w.Header(), cookies)
				writeOut(w, pair.Response())
			}
			return pair, err
		}),
		caught: []string{"signin/cookies", "signin/browser", "signin/no-cookies"},
	},
	{
		name: "the client is not looked at",
		how: func(b *bent) {
			b.signIn = func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.SignInForm) (core.Pair, error) {
				bare := r.Clone(r.Context())
				bare.Header = http.Header{}
				return b.signInFrom(w, bare, auth, form)
			}
		},
		caught: []string{"signin/cookies", "signin/browser", "signin/no-cookies"},
	},
	{
		name: "the error is another",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			for _, c := range cookies["Set-Cookie"] {
				w.Header().Add("Set-Cookie", c)
			}
			if err != nil {
				err = http.ErrNotSupported
			}
			return pair, err
		}),
		caught: []string{"signin/no-cookies"},
	},
	{
		name: "a cookie is dropped when sign-in is refused",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			for _, c := range cookies["Set-Cookie"] {
				w.Header().Add("Set-Cookie", c)
			}
			if err != nil {
				w.Header().Add("Set-Cookie", "refresh_token=; Max-Age=0")
			}
			return pair, err
		}),
		caught: []string{"signin/no-cookies"},
	},
}

// watches replaces what Watch makes of an answer that was held back.
func watches(release func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response)) func(b *bent) {
	return func(b *bent) {
		b.watch = func(auth *core.Auth, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				watch, refusal := auth.WatchLogin(request{b, r})
				if refusal != nil {
					b.write(w, r, *refusal)
					return
				}
				release(b, w, r, watch, held(next, r))
			})
		}
	}
}

var brokenWatches = []broken{
	{
		name:   "no watch",
		how:    func(b *bent) { b.watch = func(_ *core.Auth, next http.Handler) http.Handler { return next } },
		caught: []string{"watch/cookies", "watch/browser", "watch/long", "watch/refusal", "watch/cross-site"},
	},
	{
		name: "watched answers lose their headers",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, _ := watch.Answer(answer)
			out.Header = http.Header{"Content-Type": out.Header["Content-Type"], "Set-Cookie": out.Header["Set-Cookie"], "Cache-Control": {"no-store"}}
			b.write(w, r, out)
		}),
		caught: []string{"watch/cookies", "watch/untouched", "watch/long"},
	},
	{
		name: "watched answers are 200",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, _ := watch.Answer(answer)
			out.Status = 200
			b.write(w, r, out)
		}),
		caught: []string{"watch/cookies", "watch/untouched", "watch/refusal"},
		also:   []string{"watch/long"},
	},
	{
		name: "cookies for every login",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			asked := answer
			asked.Status = 200
			out, _ := watch.Answer(asked)
			out.Status = answer.Status
			b.write(w, r, out)
		}),
		caught: []string{"watch/untouched"},
		also:   []string{"watch/refusal"},
	},
	{
		name: "the first piece is watched",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			answer.Body = answer.Body[:min(len(answer.Body), 1000)]
			out, _ := watch.Answer(answer)
			b.write(w, r, out)
		}),
		caught: []string{"watch/cookies", "watch/untouched", "watch/long"},
		also:   []string{"watch/refusal", "watch/request"},
	},
	{
		name: "a long answer is cut",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, _ := watch.Answer(answer)
			out.Body = out.Body[:min(len(out.Body), core.LoginAnswerMax)]
			b.write(w, r, out)
		}),
		caught: []string{"watch/long"},
		also:   []string{"watch/request"},
	},
	{
		name: "answers of the size that is watched are let through",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			if len(answer.Body) < core.LoginAnswerMax {
				answer, _ = watch.Answer(answer)
			}
			b.write(w, r, answer)
		}),
		caught: []string{"watch/long"},
	},
	{
		name: "a refusal keeps the handler's headers",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, _ := watch.Answer(answer)
			maps.Copy(w.Header(), answer.Header)
			w.Header().Del("Set-Cookie")
			b.write(w, r, out)
		}),
		caught: []string{"watch/refusal"},
		also:   []string{"watch/cookies"},
	},
	{
		name: "a refusal keeps the handler's cookies",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, _ := watch.Answer(answer)
			if out.Header["Set-Cookie"] == nil {
				out.Header["Set-Cookie"] = answer.Header["Set-Cookie"]
			}
			b.write(w, r, out)
		}),
		caught: []string{"watch/refusal"},
	},
	{
		name: "a refusal clears what was there before the handler",
		how: watches(func(b *bent, w http.ResponseWriter, r *http.Request, watch *core.LoginWatch, answer core.Response) {
			out, refused := watch.Answer(answer)
			if refused {
				clear(w.Header())
			}
			b.write(w, r, out)
		}),
		caught: []string{"watch/refusal"},
	},
	{
		name: "the browser's cookies are not looked at",
		how: func(b *bent) {
			right := b.watch
			b.watch = func(auth *core.Auth, next http.Handler) http.Handler {
				h := right(auth, next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Header.Del("Cookie")
					h.ServeHTTP(w, r)
				})
			}
		},
		caught: []string{"watch/browser"},
	},
	{
		name: "the handler runs for another site",
		how: func(b *bent) {
			right := b.watch
			b.watch = func(auth *core.Auth, next http.Handler) http.Handler {
				h := right(auth, next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
						next.ServeHTTP(httptest.NewRecorder(), r)
					}
					h.ServeHTTP(w, r)
				})
			}
		},
		caught: []string{"watch/cross-site"},
	},
	{
		name: "Watch reads the body",
		how: func(b *bent) {
			right := b.watch
			b.watch = func(auth *core.Auth, next http.Handler) http.Handler {
				h := right(auth, next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					bodyOf(r, 1<<20)
					h.ServeHTTP(w, r)
				})
			}
		},
		caught: []string{"watch/request"},
	},
	{
		name: "the context is lost in Watch",
		how: func(b *bent) {
			right := b.watch
			b.watch = func(auth *core.Auth, next http.Handler) http.Handler {
				h := right(auth, next)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.ServeHTTP(w, r.WithContext(context.Background()))
				})
			}
		},
		caught: []string{"watch/request"},
	},
}
