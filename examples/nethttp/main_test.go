package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/apptest"
	"github.com/sallyport-go/sallyport/examples/internal/server"
	"github.com/sallyport-go/sallyport/examples/internal/users"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestServer(t *testing.T) { apptest.Run(t, run) }

func TestHandlers(t *testing.T) {
	apptest.RunHandlers(t, func(ctx context.Context, l net.Listener, auth *core.Auth, people *users.Users, boom func()) error {
		mux := (&app{auth: auth, people: people}).routes("/api/v1/auth")
		mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { boom() })
		return server.Serve(ctx, l, mux)
	})
}

// What the README shows is what a person gets.
func TestReadmeConsole(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```console\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README has no console block")
	}
	apptest.Console(t, run, block)
}
