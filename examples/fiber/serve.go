package main

import (
	"context"
	"log/slog"
	"net"

	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/examples/internal/server"
)

// serve answers until ctx is done, and then what is under way.
func serve(ctx context.Context, listener net.Listener, router *fiber.App) error {
	failed := make(chan error, 1)
	go func() { failed <- router.Listener(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// Listener returns when this begins, which is too early to end the process.
	if err := router.ShutdownWithTimeout(server.Drain); err != nil {
		slog.Warn("some requests were cut off", "error", err)
		return nil
	}
	listener.Close() // if it was to stop before it listened
	return <-failed
}
