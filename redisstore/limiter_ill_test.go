package redisstore_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

var slowly = core.Rate{Count: 5, Per: 1000 * time.Hour}

// Whatever Redis answers other than it should, a Take is an error and no answer, and
// within its own time.
func TestLimiterStrangeReplies(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	client := newClient(t, proxy.Addr(), func(o *redis.Options) { o.MaxRetries = -1 })
	l, err := redisstore.NewLimiter(client, redisstore.LimiterOptions{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	look := func(context.Context) error { // its patience is short
		_, err := l.Take(t.Context(), "a", slowly, 0)
		return err
	}
	numbers := redistest.Says("numbers that are none", "*4\r\n:1\r\n:4\r\n$2\r\n-1\r\n$3\r\nnan\r\n")
	several := redistest.Says("more than was asked", "*4\r\n:2\r\n:4\r\n$2\r\n-1\r\n$2\r\n12\r\n")
	before := redistest.Says("a time that is over", "*4\r\n:1\r\n:4\r\n$2\r\n-1\r\n$3\r\n-12\r\n")
	for _, ill := range slices.Concat(redistest.Refusals(), redistest.Nonsense(), redistest.Silences(), []redistest.Behaviour{numbers, several, before}) {
		redistest.Eventually(t, look)
		proxy.Misbehave(ill)
		a, err := l.Take(t.Context(), "a", slowly, 1)
		proxy.Heal()
		if err == nil || a != (core.Allowance{}) {
			t.Errorf("%s: got %+v and error %v, want an error", ill.Name, a, err)
		}
	}
}

// A server that takes what it is sent and says nothing holds nobody up, whatever the
// client's own settings; nor does one that isn't there.
func TestLimiterSilence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ReadTimeout: time.Hour, MaxRetries: 10})
	defer client.Close()
	l, err := redisstore.NewLimiter(client, redisstore.LimiterOptions{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if a, err := l.Take(ctx, "a", slowly, 1); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || a != (core.Allowance{}) {
		t.Errorf("got %+v and error %v, want its own deadline", a, err)
	}
	silent.Close()
	if a, err := l.Take(ctx, "a", slowly, 1); err == nil || ctx.Err() != nil || a != (core.Allowance{}) {
		t.Errorf("without a server: got %+v and error %v, want an error", a, err)
	}
}

// A Take whose reply is lost is sent again by the client and counts twice: that is
// stricter, never laxer.
func TestLimiterLostReply(t *testing.T) {
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr)
	client := newClient(t, proxy.Addr(), func(o *redis.Options) {
		o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = 3, time.Millisecond, time.Millisecond
	})
	l := openLimiterAt(t, client, "sp")
	if _, err := l.Take(t.Context(), "before", slowly, 1); err != nil { // the server has the script
		t.Fatal(err)
	}
	proxy.CutReplyAfter(0, redistest.Command(":limit:a", "evalsha"))
	for i, want := range []int{3, 2, 1, 0} { // what is left
		a, err := l.Take(t.Context(), "a", slowly, 1)
		if err != nil || !a.OK || a.Left != want {
			t.Errorf("Take %d: got %+v and error %v, want it OK with %d left", i+1, a, err, want)
		}
	}
	if a, err := l.Take(t.Context(), "a", slowly, 1); err != nil || a.OK {
		t.Errorf("the last: got %+v and error %v, want it refused", a, err)
	}
}
