package console

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// Check prints what is unsound of an auth, one line each, and returns an error
// if anything is. local says that only this machine reaches the server: then
// cookies may travel without TLS, and that they do is but a note.
func Check(ctx context.Context, out io.Writer, auth *core.Auth, local bool) error {
	firstRead(ctx, auth)
	unsound := 0
	for _, f := range auth.Check(ctx) {
		if local && withoutTLS(f) {
			fmt.Fprintf(out, "note: %s\n", f)
			continue
		}
		unsound++
		fmt.Fprintln(out, f)
	}
	if unsound > 0 {
		return fmt.Errorf("unsound: %d of what was checked", unsound)
	}
	fmt.Fprintln(out, "nothing unsound was found")
	return nil
}

// withoutTLS reports whether a finding is that cookies need no TLS. Anything
// else that may be wrong with a cookie counts everywhere.
func withoutTLS(f core.Finding) bool {
	return f.Subject == "cookie" && strings.Contains(f.Problem, "without TLS")
}

// patience is more than a store may take for the first read of its feed.
const patience = 5 * time.Second

// firstRead waits until an auth has read its store's feed, as it does once it
// is made, or is out of patience: then the check says that it was not read.
func firstRead(ctx context.Context, auth *core.Auth) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for auth.Health().FeedAge < 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
