package alike

import (
	"fmt"
	"strconv"
	"time"
)

// window is when a request was under way. The servers run on this machine, and so
// by the same clock.
type window struct {
	id       int
	from, to time.Time
}

// moments are what a time that a server told may be: that of one of the requests,
// as the server saw it, or a set span after it. They are not the same time on two
// servers, but have to be the same moment. Requests may be so close that one can't
// tell: then two tell the same if they have a moment in common.
type moments struct {
	told string
	may  map[string]bool
}

// spans are the lives of what a server hands out: itself, a sign-in that waits, an
// access token, a refresh token or an idle session, a session.
var spans = []time.Duration{0, 5 * time.Minute, time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

func (b *book) find(told string, fits func(w window, span time.Duration) bool) moments {
	m := moments{told, make(map[string]bool)}
	for _, w := range b.asked {
		for _, span := range spans {
			if fits(w, span) {
				m.may[fmt.Sprintf("request %d + %v", w.id, span)] = true
			}
		}
	}
	return m
}

// when finds a time to the millisecond, or to the second if it has no fraction.
func (b *book) when(t time.Time) moments {
	grain := time.Millisecond
	if t.Nanosecond() == 0 {
		grain = time.Second
	}
	return b.find(t.Format(time.RFC3339Nano), func(w window, span time.Duration) bool {
		first := w.from.Add(span).Truncate(grain)
		return !t.Before(first) && !t.After(w.to.Add(span))
	})
}

// whenSeconds finds a time of a token: seconds since 1970.
func (b *book) whenSeconds(text string) moments {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return moments{told: text}
	}
	return b.when(time.Unix(n, 0).UTC())
}

// whenLeft finds what ends so many whole seconds from now, that is from the last
// request. The servers count from the beginning of a second.
func (b *book) whenLeft(text string) moments {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || len(b.asked) == 0 {
		return moments{told: text}
	}
	now := b.asked[len(b.asked)-1]
	return b.find(text+" s left", func(w window, span time.Duration) bool {
		least := w.from.Truncate(time.Millisecond).Add(span).Sub(now.to).Truncate(time.Second)
		most := w.to.Add(span).Sub(now.from.Truncate(time.Second))
		left := time.Duration(n) * time.Second
		return span > 0 && left >= least && left <= most
	})
}

// common reports whether times that several servers told may be one moment.
func common(all []moments) bool {
	for m := range all[0].may {
		shared := true
		for _, other := range all[1:] {
			shared = shared && other.may[m]
		}
		if shared {
			return true
		}
	}
	return false
}
