package alike

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

const length = 250 // of a sequence, in requests

// The servers are sent the same requests, made up at random, one after the other
// over connections that are kept alive. Whatever they make up themselves has to
// stand for the same on each; the rest has to be the same bytes. The ordinary run
// is always the same, a full one is of another seed each time. SALLYPORT_SEED
// repeats it, and -run TestProofAlike/7 one sequence of it.
func TestProofAlike(t *testing.T) {
	sequences, seed := 3, uint64(1)
	if os.Getenv("SALLYPORT_PROOF") != "" {
		sequences, seed = 84, rand.Uint64()
	}
	if text := os.Getenv("SALLYPORT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SALLYPORT_SEED: %v", err)
		}
	}
	t.Logf("SALLYPORT_SEED=%d", seed)
	ctx := t.Context()
	if until, ok := t.Deadline(); ok { // a run that is too slow still stops its servers
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, until.Add(-10*time.Second))
		defer cancel()
	}
	x := &run{dir: build(t), secret: newSecret()}
	sum := newTally()
	for i := 0; i < sequences && sum.differences < 3; i++ {
		p := profiles[i%len(profiles)]
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			list := sequence(seed, uint64(i), p, length)
			found, err := x.play(ctx, t, p, list, sum)
			if err != nil {
				t.Fatal(err)
			}
			if found == nil {
				return
			}
			sum.differences++
			list = x.shrink(ctx, t, p, list[:found.at+1])
			again, err := x.play(ctx, t, p, list, newTally())
			t.Errorf("SALLYPORT_SEED=%d, %s: the answers differ\n%sat first: %sat last: %s%v", seed, p.name, show(list), found, again, err)
		})
	}
	sum.log(t)
	if sum.requests == sequences*length { // and no part of a run
		sum.check(t)
	}
}
