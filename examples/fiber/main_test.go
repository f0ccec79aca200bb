package main

import (
	"context"
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/apptest"
	"github.com/sallyport-go/sallyport/examples/internal/users"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestServer(t *testing.T) { apptest.Run(t, run) }

func TestHandlers(t *testing.T) {
	apptest.RunHandlers(t, func(ctx context.Context, l net.Listener, auth *core.Auth, people *users.Users, boom func()) error {
		router := (&app{auth: auth, people: people}).routes("/api/v1/auth")
		router.Get("/panic", func(*fiber.Ctx) error { boom(); return nil })
		return serve(ctx, l, router)
	})
}
