package agent

import (
	"iter"
	"strings"
)

// word is a stretch of a User-Agent between separators: of a product
// ("Chrome/131.0"), its name and its version; of a comment, what spaces,
// semicolons and the like part.
type word struct {
	text    string
	lower   string
	comment bool   // it stands in parentheses
	before  byte   // the separator before it, 0 at the start
	after   string // what follows it
}

// words goes over a User-Agent of printable ASCII. URLs are left out.
func words(userAgent string) iter.Seq[word] {
	return func(yield func(word) bool) {
		lower := strings.ToLower(userAgent)
		depth, start := 0, 0
		for i := 0; i <= len(userAgent); i++ {
			if i < len(userAgent) && !parts(userAgent, i) {
				continue
			}
			if i > start {
				w := word{text: userAgent[start:i], lower: lower[start:i], comment: depth > 0, after: userAgent[i:]}
				if start > 0 {
					w.before = userAgent[start-1]
				}
				if strings.HasPrefix(w.after, "://") {
					if n := strings.IndexAny(w.after, " ,;()[]"); n < 0 {
						i = len(userAgent)
					} else {
						i += n
					}
				} else if !yield(w) {
					return
				}
			}
			if i < len(userAgent) {
				switch userAgent[i] {
				case '(':
					depth++
				case ')':
					depth = max(depth-1, 0)
				}
			}
			start = i + 1
		}
	}
}

// parts reports whether the byte at i separates words. An underscore does before
// a version ("musical_ly_35.1") and doubled.
func parts(s string, i int) bool {
	switch s[i] {
	case ' ', '/', '(', ')', '[', ']', ';', ',', ':', '=', '"':
		return true
	case '_':
		return i+1 < len(s) && (isDigit(s[i+1]) || s[i+1] == '_') || i > 0 && s[i-1] == '_'
	}
	return false
}

// names reports whether w is where products are named, and not, say, a model of
// telephone that is called like one.
func (w word) names() bool {
	return !w.comment || w.before == '/' || strings.HasPrefix(w.after, "/") || strings.HasPrefix(w.after, "(")
}

// versioned reports whether a version follows w.
func (w word) versioned() bool {
	if len(w.after) < 2 || !strings.Contains("/ _", w.after[:1]) {
		return false
	}
	return isVersion(w.after[1:])
}

// isVersion reports whether s begins with a digit, or with v and a digit.
func isVersion(s string) bool {
	s = strings.TrimPrefix(s, "v")
	return s != "" && isDigit(s[0])
}

// leading is the name that s begins with: its words up to a version, a slash or
// a comment, or "" if that is not a name. The scheme of a URL is none.
func leading(s string) string {
	end := len(s)
	for i := range len(s) {
		if strings.IndexByte("/([{;,:", s[i]) >= 0 || s[i] == ' ' && isVersion(s[i+1:]) {
			end = i
			break
		}
	}
	if strings.HasPrefix(s[end:], "://") {
		return ""
	}
	return name(s[:end])
}

// name accepts letters, digits, spaces and a few signs, from a letter on, and
// cuts them to the size of a result. Whatever holds anything else is no name: it
// could be taken for something else where it is shown.
func name(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || !isLetter(s[0]) {
		return ""
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) && strings.IndexByte(" ._+!-", s[i]) < 0 {
			return ""
		}
	}
	return strings.TrimSpace(s[:min(len(s), maxName)])
}

// printable puts a question mark, which is in no name, for every byte that is
// not printable ASCII.
func printable(s string) string {
	plain := func(c byte) bool { return ' ' <= c && c <= '~' }
	for i := range len(s) {
		if plain(s[i]) {
			continue
		}
		b := []byte(s)
		for j := range b {
			if !plain(b[j]) {
				b[j] = '?'
			}
		}
		return string(b)
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
