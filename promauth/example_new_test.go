package promauth_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/promauth"
)

// What an Auth does is read by Prometheus at /metrics.
func ExampleNew() {
	config := core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Audit: func(context.Context, core.Event) {},
	}
	registry, mux := prometheus.NewRegistry(), http.NewServeMux()

	metrics, err := promauth.New(registry) // or prometheus.DefaultRegisterer
	if err != nil {
		log.Fatal(err)
	}
	config.Observer = metrics
	auth, err := core.New(config)
	if err != nil {
		log.Fatal(err)
	}
	if err := metrics.Watch(auth); err != nil {
		log.Fatal(err)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	defer auth.Close()
	if _, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}}); err != nil {
		log.Panic(err)
	}
	scrape := httptest.NewRecorder()
	mux.ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.Contains(line, "signed_in") || strings.HasPrefix(line, "sallyport_mode") {
			fmt.Print(line)
		}
	}

	// Output:
	// sallyport_events_total{cause="",event="signed_in"} 1
	// sallyport_mode{mode="closed"} 0
	// sallyport_mode{mode="degraded"} 0
	// sallyport_mode{mode="memory"} 0
	// sallyport_mode{mode="normal"} 1
}
