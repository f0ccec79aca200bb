package redisstore_test

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/redisstore/internal/redistest"
)

const (
	racers     = 50
	raceRounds = 20
)

// race has racers take one of each key, at once and of all keys together, and returns how
// many were let through for each.
func race(t testing.TB, l core.Limiter, keys []string, racers int) []int64 {
	t.Helper()
	passed := make([]atomic.Int64, len(keys))
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range racers * len(keys) {
		all.Go(func() {
			<-begin
			key := i % len(keys)
			a, err := l.Take(t.Context(), keys[key], core.Rate{Count: 5, Per: time.Minute}, 1)
			if err != nil {
				t.Error(err)
			}
			if a.OK {
				passed[key].Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	counts := make([]int64, len(keys))
	for i := range passed {
		counts[i] = passed[i].Load()
	}
	return counts
}

func TestLimiterRaceMiniredis(t *testing.T) {
	l := openLimiter(t, mini(t))
	for range raceRounds {
		if got := race(t, l, []string{"key-" + rand.Text()}, racers); got[0] != 5 {
			t.Errorf("got %d let through, want 5", got[0])
		}
	}
}

// Two processes on one server let through as many as one would: of each of 20 keys 5,
// though each process tries 25 times, at the same time.
func TestLimiterRaceProcesses(t *testing.T) {
	const variable = "SALLYPORT_TEST_LIMITER"
	if prefix := os.Getenv(variable); prefix != "" {
		racingProcess(t, prefix)
		return
	}
	client := redistest.Local(t)
	prefix := "test-" + rand.Text()
	t.Cleanup(func() { redistest.Remove(t, client, "rate:"+prefix) })
	processes := [2]*racer{startRacer(t, "TestLimiterRaceProcesses", variable+"="+prefix), startRacer(t, "TestLimiterRaceProcesses", variable+"="+prefix)}
	keys := make([]string, raceRounds)
	mixed := 0
	for range 3 {
		for i := range keys {
			keys[i] = "key-" + rand.Text()
		}
		for _, p := range processes {
			if err := p.in.Encode(keys); err != nil {
				t.Fatal(err)
			}
		}
		var passed [len(processes)][]int64
		for i, p := range processes {
			if err := p.out.Decode(&passed[i]); err != nil {
				t.Fatal(err)
			}
		}
		for i := range keys {
			a, b := passed[0][i], passed[1][i]
			if a+b != 5 {
				t.Errorf("got %d and %d let through, want 5 together", a, b)
			}
			if a > 0 && b > 0 {
				mixed++
			}
		}
	}
	t.Logf("%d of %d keys were shared by both", mixed, 3*raceRounds)
}

// racer is a process that races for the keys that it is told, and tells how many it was
// let through for each.
type racer struct {
	in  *json.Encoder
	out *json.Decoder
}

func startRacer(t *testing.T, test, env string) *racer {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), env)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	t.Cleanup(func() {
		in.Close() // it ends then
		rest, _ := io.ReadAll(answers)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process: %v\n%s", err, rest)
		}
	})
	return &racer{in: json.NewEncoder(in), out: json.NewDecoder(answers)}
}

func racingProcess(t *testing.T, prefix string) {
	l := openLimiterAt(t, redistest.Local(t), prefix)
	var keys []string
	for told := json.NewDecoder(os.Stdin); told.Decode(&keys) == nil; {
		counts, err := json.Marshal(race(t, l, keys, racers/2))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s\n", counts)
	}
}
