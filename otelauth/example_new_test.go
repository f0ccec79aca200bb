package otelauth_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/otelauth"
)

// What an Auth does goes where the app's other metrics go.
func ExampleNew() {
	reader := sdk.NewManualReader() // yours is an exporter
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	config := core.Config{
		Store: memstore.New(),
		Keys:  []core.Key{{Secret: []byte(rand.Text() + rand.Text())}},
		Audit: func(context.Context, core.Event) {},
	}

	metrics, err := otelauth.New(otel.GetMeterProvider())
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

	defer auth.Close()
	if _, err := auth.SignIn(context.Background(), core.SignInRequest{Identity: core.Identity{UserID: "alice"}}); err != nil {
		log.Panic(err)
	}
	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		log.Panic(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if events, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "sallyport.events" {
			for _, p := range events.DataPoints {
				if event, _ := p.Attributes.Value("sallyport.event"); event.AsString() == "signed_in" {
					fmt.Println(m.Name, event.AsString(), p.Value)
				}
			}
		}
	}

	// Output: sallyport.events signed_in 1
}
