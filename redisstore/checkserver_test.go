package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A server's clock is off by at least what it is outside of the time in which it was
// asked, however long that took.
func TestClock(t *testing.T) {
	asked := time.Now()
	for _, tt := range []struct {
		trip, server time.Duration // since asked
		want         string
	}{
		{0, 0, ""},
		{0, time.Second, ""},
		{0, -time.Second, ""},
		{0, 1002 * time.Millisecond, "1.002s ahead of"},
		{0, -1002 * time.Millisecond, "1.002s behind"},
		{10 * time.Second, 0, ""},
		{10 * time.Second, 5 * time.Second, ""},
		{10 * time.Second, 11 * time.Second, ""},
		{10 * time.Second, 13 * time.Second, "3s ahead of"},
		{10 * time.Second, -2 * time.Second, "2s behind"},
	} {
		s := said{time: &redis.TimeCmd{}}
		s.time.SetVal(asked.Add(tt.server))
		var f findings
		s.clock(&f, asked, asked.Add(tt.trip))
		switch {
		case tt.want == "" && len(f) > 0:
			t.Errorf("%+v: got %v", tt, f)
		case tt.want != "" && (len(f) != 1 || !strings.Contains(f[0].Problem, tt.want)):
			t.Errorf("%+v: got %v, want %s", tt, f, tt.want)
		}
	}
}
