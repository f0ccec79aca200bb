package core

import (
	"strings"
	"testing"
)

func TestCheckUserID(t *testing.T) {
	for _, id := range []string{
		"a", "bob", "Bob", "bob ", " ", "bób", "bo\u0301b", "a:b", "*", "{x}", "😀", "\u2028", "\ufeff", "a\u00a0b", "../x", `"`,
		strings.Repeat("a", 255), strings.Repeat("é", 127),
	} {
		if err := checkUserID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{
		"", strings.Repeat("a", 256), strings.Repeat("é", 128), "\x00", "a\n", "\ta", "a\x7f", "\u0080", "a\u009fb",
		"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80",
	} {
		if err := checkUserID(id); err == nil {
			t.Errorf("%q: no error", id)
		}
	}
}
