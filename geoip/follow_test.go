package geoip_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-go/sallyport/geoip"
)

// following is a resolver of one file that is followed, in a bubble of fake time. A
// test that leaves a goroutine behind fails.
type following struct {
	*testing.T
	resolver *geoip.Resolver
	file     string
	cancel   context.CancelFunc

	mu       sync.Mutex
	told     []error // by OnReload
	returned []error // by Follow
}

// note adds an error to one of the lists.
func (w *following) note(list *[]error, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, err)
}

// notes returns what was noted.
func (w *following) notes() (told, returned []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told), slices.Clone(w.returned)
}

func follow(t *testing.T, every time.Duration, test func(*following)) {
	t.Helper()
	b, _ := generation(t, "First", 1)
	synctest.Test(t, func(t *testing.T) {
		w := &following{T: t, file: write(t, b)}
		w.resolver = open(t, geoip.Options{OnReload: func(err error) { w.note(&w.told, err) }}, w.file)
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		go func() { w.note(&w.returned, w.resolver.Follow(ctx, every)) }()
		test(w)
		cancel()
		synctest.Wait()
		if _, returned := w.notes(); len(returned) != 1 {
			t.Errorf("Follow returned %v, want it to have returned once", returned)
		}
	})
}

// pass lets time go by.
func (w *following) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// expect checks what city is found now, and how many reloads were told of, and failed.
func (w *following) expect(city string, told, failed int) {
	w.Helper()
	reloads, _ := w.notes()
	n := 0
	for _, err := range reloads {
		if err != nil {
			n++
		}
	}
	if got := at(w, w.resolver, "192.0.2.1").City; got != city || len(reloads) != told || n != failed {
		w.Errorf("got %q, %d reloads and %d failed (%v), want %q, %d, %d", got, len(reloads), n, reloads, city, told, failed)
	}
}

// What replaces a file is in use after the next look, were it of the same size and time.
func TestFollowRename(t *testing.T) {
	next, _ := generation(t, "Again", 1) // as long as First
	follow(t, time.Hour, func(w *following) {
		w.pass(10 * time.Hour)
		w.expect("First", 0, 0)

		info, err := os.Stat(w.file)
		if err != nil {
			w.Fatal(err)
		}
		replace(w, w.file, next)
		if err := os.Chtimes(w.file, info.ModTime(), info.ModTime()); err != nil {
			w.Fatal(err)
		}
		if now, err := os.Stat(w.file); err != nil || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
			w.Fatalf("the files can be told apart: %v, %v, %v", now, info, err)
		}
		w.pass(time.Hour - time.Second)
		w.expect("First", 0, 0)
		w.pass(2 * time.Second)
		w.expect("Again", 1, 0)
		w.pass(10 * time.Hour)
		w.expect("Again", 1, 0)
	})
}

// A file that is written to is read again, whether its size tells or its time.
func TestFollowWrite(t *testing.T) {
	same, _ := generation(t, "Again", 1)
	longer, _ := generation(t, "A longer name", 1)
	follow(t, time.Hour, func(w *following) {
		info, err := os.Stat(w.file)
		if err != nil {
			w.Fatal(err)
		}
		set := func(b []byte, modified time.Time) {
			w.Helper()
			if err := os.WriteFile(w.file, b, 0o600); err != nil {
				w.Fatal(err)
			}
			if err := os.Chtimes(w.file, modified, modified); err != nil {
				w.Fatal(err)
			}
		}
		set(longer, info.ModTime())
		w.pass(time.Hour)
		w.expect("A longer name", 1, 0)
		set(same, info.ModTime())
		w.pass(time.Hour)
		w.expect("Again", 2, 0)
		first, _ := generation(w, "First", 1)
		set(first, info.ModTime().Add(time.Second))
		w.pass(time.Hour)
		w.expect("First", 3, 0)
	})
}

// A file that is away or broken is told of at each look, and used once it is whole.
func TestFollowBroken(t *testing.T) {
	next, _ := generation(t, "Second", 1)
	follow(t, time.Hour, func(w *following) {
		if err := os.Remove(w.file); err != nil {
			w.Fatal(err)
		}
		w.pass(2 * time.Hour)
		w.expect("First", 2, 2)
		if err := os.WriteFile(w.file, next[:len(next)/2], 0o600); err != nil {
			w.Fatal(err)
		}
		w.pass(time.Hour)
		w.expect("First", 3, 3)
		if err := os.WriteFile(w.file, next, 0o600); err != nil {
			w.Fatal(err)
		}
		w.pass(time.Hour)
		w.expect("Second", 4, 3)
		w.pass(10 * time.Hour)
		w.expect("Second", 4, 3)
	})
}

// 0 is one minute.
func TestFollowDefault(t *testing.T) {
	next, _ := generation(t, "Second", 1)
	follow(t, 0, func(w *following) {
		replace(w, w.file, next)
		w.pass(59 * time.Second)
		w.expect("First", 0, 0)
		w.pass(2 * time.Second)
		w.expect("Second", 1, 0)
	})
}

// Follow returns at once when its context ends, and when the resolver is closed.
func TestFollowEnds(t *testing.T) {
	follow(t, time.Hour, func(w *following) {
		w.cancel()
		synctest.Wait()
		if _, got := w.notes(); len(got) != 1 || !errors.Is(got[0], context.Canceled) {
			w.Errorf("cancelled: got %v, want context.Canceled", got)
		}
	})
	follow(t, time.Hour, func(w *following) {
		w.resolver.Close()
		synctest.Wait()
		told, got := w.notes()
		if len(got) != 1 || !errors.Is(got[0], geoip.ErrClosed) {
			w.Errorf("closed: got %v, want ErrClosed", got)
		}
		if err := w.resolver.Follow(w.Context(), 0); !errors.Is(err, geoip.ErrClosed) {
			w.Errorf("after Close: got %v, want ErrClosed", err)
		}
		if len(told) != 0 {
			w.Errorf("OnReload was told %v", told)
		}
	})
}

// written is what a log was written to.
type written struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// take returns what was written since it was called last.
func (w *written) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.text.Reset()
	return w.text.String()
}

// Without an OnReload the log has it.
func TestFollowLogs(t *testing.T) {
	first, _ := generation(t, "First", 1)
	second, _ := generation(t, "Second", 1)
	var log written
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	file := write(t, first)
	synctest.Test(t, func(t *testing.T) {
		r := open(t, geoip.Options{}, file)
		ctx, cancel := context.WithCancel(t.Context())
		go r.Follow(ctx, time.Hour)
		for _, step := range []struct {
			b    []byte
			want []string
		}{
			{second[:10], []string{"level=WARN", file}},
			{second, []string{"level=INFO", file}},
		} {
			if err := os.WriteFile(file, step.b, 0o600); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Hour)
			synctest.Wait()
			got := log.take()
			for _, want := range step.want {
				if strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
					t.Errorf("got %q, want one line with %q", got, want)
				}
			}
		}
		cancel()
		synctest.Wait()
	})
}
