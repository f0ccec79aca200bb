package settings

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// reader reads single settings and gathers what is wrong.
type reader struct {
	getenv func(string) string
	errs   []error
}

func (r *reader) wrong(name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf(name+": "+format, args...))
}

// duration reads seconds or a Go duration.
func (r *reader) duration(name string, least time.Duration) time.Duration {
	text := r.getenv(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if seconds, notWhole := strconv.ParseInt(text, 10, 64); notWhole == nil {
		d, err = time.Duration(seconds)*time.Second, nil
		if seconds > math.MaxInt64/int64(time.Second) || seconds < 0 {
			err = strconv.ErrRange
		}
	}
	switch {
	case err != nil:
		r.wrong(name, `%q is no number of seconds and no duration such as "15m"`, text)
	case d < least:
		r.wrong(name, "%v is less than %v", d, least)
	}
	return d
}

func (r *reader) number(name string, least, most int) int {
	text := r.getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		r.wrong(name, "%q is no number from %d to %d", text, least, most)
	}
	return n
}

// limitMost is a sign-in limit beyond which there is none to speak of.
const limitMost = 100_000

// limits reads how many sign-ins a minute are tried of one account, or that nothing is
// limited.
func (r *reader) limits(name string) core.Limits {
	text := r.getenv(name)
	if text == "" || text == "off" {
		return core.Limits{Off: text == "off"}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limitMost {
		r.wrong(name, `%q is neither "off" nor a number from 1 to %d`, text, limitMost)
	}
	return core.Limits{Login: n}
}

func (r *reader) boolean(name string, standard bool) bool {
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		r.wrong(name, "%q is neither true nor false", text)
	}
	return b
}

// list reads values with commas between them.
func (r *reader) list(name string) []string {
	text := r.getenv(name)
	if text == "" {
		return nil
	}
	values := strings.Split(text, ",")
	for i, v := range values {
		if values[i] = strings.TrimSpace(v); values[i] == "" {
			r.wrong(name, "%q has an empty value in it", text)
		}
	}
	return values
}

// prefixes reads networks, each as a CIDR or as a single address.
func (r *reader) prefixes(name string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range r.list(name) {
		p, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil && text != "" {
			r.wrong(name, "%q is no address and no CIDR such as 10.0.0.0/8", text)
		}
		out = append(out, p)
	}
	return out
}

// header reads the name of one of several headers, in any case.
func (r *reader) header(name string, may ...string) string {
	text := r.getenv(name)
	if text == "" {
		return ""
	}
	for _, header := range may {
		if strings.EqualFold(text, header) {
			return header
		}
	}
	r.wrong(name, "%q is none of: %s", text, strings.Join(may, ", "))
	return ""
}

// addr reads an address to listen on.
func (r *reader) addr(name, standard string) string {
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	_, port, err := net.SplitHostPort(text)
	if n, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || n < 0 || n > math.MaxUint16 {
		r.wrong(name, "%q is no address such as 127.0.0.1:8080", text)
	}
	return text
}

// loopback reports whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// word is what a setting may be, and what it means.
type word[T any] struct {
	text  string
	means T
}

// choice reads one of several words. Not set: the zero T, which is the default.
func choice[T any](r *reader, name string, words []word[T]) T {
	var standard T
	text := r.getenv(name)
	if text == "" {
		return standard
	}
	var may []string
	for _, w := range words {
		if w.text == text {
			return w.means
		}
		may = append(may, w.text)
	}
	r.wrong(name, "%q is none of: %s", text, strings.Join(may, ", "))
	return standard
}
