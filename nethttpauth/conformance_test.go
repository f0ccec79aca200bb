package nethttpauth_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/adaptertest"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

func TestConformance(t *testing.T) {
	adaptertest.Run(t, adaptertest.Adapter{Serve: serveApp})
}

// serveApp puts an app on net/http.
func serveApp(app adaptertest.App) (string, func(), error) {
	mux := http.NewServeMux()
	for _, g := range app.Groups {
		nethttpauth.Mount(mux, g.Prefix, g.Routes)
	}
	for _, g := range app.Guarded {
		var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nethttpauth.Write(w, g.Handle(r.Context(), nethttpauth.Principal(r)))
		})
		switch {
		case g.Optional:
			h = nethttpauth.Optional(g.Auth, g.Rules...)(h)
		case g.Auth != nil:
			h = nethttpauth.Require(g.Auth, g.Rules...)(h)
		}
		mux.Handle(g.Method+" "+g.Path, h)
	}
	for _, s := range app.SignIns {
		mux.HandleFunc(s.Method+" "+s.Path, func(w http.ResponseWriter, r *http.Request) {
			nethttpauth.Write(w, s.Answer(nethttpauth.SignIn(w, r, s.Auth, s.Form)))
		})
	}
	for _, s := range app.StepUps {
		mux.HandleFunc(s.Method+" "+s.Path, func(w http.ResponseWriter, r *http.Request) {
			nethttpauth.Write(w, s.Answer(nethttpauth.StepUp(w, r, s.Auth, s.Form())))
		})
	}
	for _, wd := range app.Watched {
		mux.Handle(wd.Method+" "+wd.Path, nethttpauth.Watch(wd.Auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			writeOwn(w, wd.Handle(r.Context(), body))
		})))
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range app.Header {
			w.Header()[name] = slices.Clone(values)
		}
		if app.Context != nil {
			r = r.WithContext(app.Context(r.Context()))
		}
		mux.ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	return "http://" + listener.Addr().String(), func() { server.Close(); <-done }, nil
}

// writeOwn writes an answer as an app does that has no adapter.
func writeOwn(w http.ResponseWriter, out core.Response) {
	for name, values := range out.Header {
		for _, v := range values {
			w.Header().Add(name, v)
		}
	}
	w.WriteHeader(out.Status)
	for piece := range slices.Chunk(out.Body, 1000) {
		w.Write(piece)
	}
}
