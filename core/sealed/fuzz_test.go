package sealed_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
)

// FuzzOpen opens what nobody here has sealed. It never opens, and the error holds
// none of it; without the prefix it comes back as it is. Sealed and opened, any
// text is what it was.
func FuzzOpen(f *testing.F) {
	s, err := sealed.New(newKey("a"), newKey("b"))
	if err != nil {
		f.Fatal(err)
	}
	for _, g := range golden {
		f.Add(g.user, string(g.field), g.value)
		f.Add(g.user, string(g.field), strings.Replace(g.value, "golden_1", "a", 1))
		f.Add(g.user, string(g.field), g.plain)
	}
	for _, text := range []string{
		"", sealed.Prefix, sealed.Prefix + "1", sealed.Prefix + "1:", sealed.Prefix + "1:a", sealed.Prefix + "1:a:", sealed.Prefix + "2:a:",
		sealed.Prefix + "1:a:" + strings.Repeat("A", 38), sealed.Prefix + "1:b:" + strings.Repeat("A", 40), sealed.Prefix + "1:a:AAAA\n", "::::",
	} {
		f.Add("alice", string(sealed.IP), text)
	}
	f.Fuzz(func(t *testing.T, user, field, text string) {
		got, err := s.Open(user, sealed.Field(field), text)
		body, closed := strings.CutPrefix(text, sealed.Prefix)
		switch {
		case !closed && (got != text || err != nil):
			t.Errorf("got %q, %v, want it as it is", got, err)
		case closed && (got != "" || !errors.Is(err, sealed.ErrSealed)):
			t.Errorf("got %q, %v, want ErrSealed", got, err)
		}
		if i := strings.LastIndex(body, ":"); closed && len(body)-i > 20 && !strings.Contains(field, body[i+1:]) && strings.Contains(err.Error(), body[i+1:]) {
			t.Errorf("the error tells of it: %v", err)
		}
		e := s.Event(core.Event{UserID: user, IP: text})
		if got, err := s.Open(user, sealed.IP, e.IP); got != text || err != nil {
			t.Errorf("sealed and opened: got %q, %v, want %q", got, err, text)
		}
	})
}
