package adaptertest_test

import (
	"errors"
	"maps"
	"net/http"

	"github.com/sallyport-go/sallyport/core"
)

// stepUps replaces what StepUp makes of what core returned.
func stepUps(done func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error)) func(b *bent) {
	return func(b *bent) {
		b.stepUp = func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
			pair, cookies, err := auth.StepUpFrom(request{b, r}, form)
			return done(w, pair, cookies, err)
		}
	}
}

func addAll(w http.ResponseWriter, cookies http.Header) {
	for _, c := range cookies["Set-Cookie"] {
		w.Header().Add("Set-Cookie", c)
	}
}

var brokenStepUps = []broken{
	{
		name: "no cookies after a second factor",
		how: stepUps(func(_ http.ResponseWriter, pair core.Pair, _ http.Header, err error) (core.Pair, error) {
			return pair, err
		}),
		caught: []string{"stepup/cookies"},
	},
	{
		name: "the app's cookies are replaced after a second factor",
		how: stepUps(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			maps.Copy(w.Header(), cookies)
			return pair, err
		}),
		caught: []string{"stepup/cookies"},
	},
	{
		name: "a cookie is dropped when the second factor is refused",
		how: stepUps(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			addAll(w, cookies)
			if err != nil {
				w.Header().Add("Set-Cookie", "refresh_token=; Max-Age=0")
			}
			return pair, err
		}),
		caught: []string{"stepup/no-cookies"},
	},
	{
		name: "the error of a second factor is another",
		how: stepUps(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			addAll(w, cookies)
			if err != nil {
				err = http.ErrNotSupported
			}
			return pair, err
		}),
		caught: []string{"stepup/no-cookies"},
	},
	{
		name: "the client is not looked at with a second factor",
		how: func(b *bent) {
			b.stepUp = func(w http.ResponseWriter, r *http.Request, auth *core.Auth, form core.StepUpForm) (core.Pair, error) {
				bare := r.Clone(r.Context())
				bare.Header = http.Header{}
				return b.stepUpFrom(w, bare, auth, form)
			}
		},
		caught: []string{"stepup/cookies", "stepup/no-cookies"},
	},
	{
		name: "no cookies when a sign-in is refused",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			if err == nil {
				addAll(w, cookies)
			}
			return pair, err
		}),
		caught: []string{"stepup/waits", "stepup/cookies", "stepup/no-cookies"},
	},
	{
		name: "the error of a sign-in that waits is bare",
		how: signIns(func(w http.ResponseWriter, pair core.Pair, cookies http.Header, err error) (core.Pair, error) {
			addAll(w, cookies)
			if errors.Is(err, core.ErrStepUpRequired) {
				err = core.ErrStepUpRequired
			}
			return pair, err
		}),
		caught: []string{"stepup/waits", "stepup/cookies", "stepup/no-cookies"},
	},
	{
		name: "no Retry-After",
		how: func(b *bent) {
			b.write = func(w http.ResponseWriter, _ *http.Request, out core.Response) {
				out.Header = out.Header.Clone()
				out.Header.Del("Retry-After")
				writeOut(w, out)
			}
		},
		caught: []string{"limits/retry-after"},
	},
}
