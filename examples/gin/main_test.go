package main

import (
	"context"
	"net"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/examples/internal/apptest"
	"github.com/sallyport-go/sallyport/examples/internal/server"
	"github.com/sallyport-go/sallyport/examples/internal/users"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestServer(t *testing.T) { apptest.Run(t, run) }

func TestHandlers(t *testing.T) {
	apptest.RunHandlers(t, func(ctx context.Context, l net.Listener, auth *core.Auth, people *users.Users, boom func()) error {
		engine := (&app{auth: auth, people: people}).routes("/api/v1/auth")
		engine.GET("/panic", func(*gin.Context) { boom() })
		return server.Serve(ctx, l, engine)
	})
}
