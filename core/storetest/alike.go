package storetest

import (
	"slices"
	"strings"
)

// alike are groups of user ids that look, fold, trim, quote, match or count alike, and are
// all different.
var alike = [][]string{
	{ // case, spaces, accents, widths, scripts, what can't be seen
		"bob", "Bob", "BOB", "bob ", " bob", "bob  ", "b", "bobb", "b\u00f3b", "bo\u0301b", "B\u00d3B", "b\u00f2b", "ｂｏｂ",
		"\u0431\u043e\u0431", "bob\u200b", "bob\u200d", "bob\u00a0", "bob\u3000", "\ufeffbob",
	},
	{"*", "?", "%", "_", "b*", "b?b", "bo_", "bo%", "bo?", "bo*", "b[o]b", "[x]", ".", ".*", "^bob$", "b.b", "\\*", "\\%", "\\_"},
	{"a:b", "a", "a:", ":b", "b:a", "b", "a/b", "a\\b", "a,b", "a;b", "a|b", "a.b", "a b", "a+b", "a%20b", "a\u2028b"},
	{"{x}", "{x}y", "x", "{}", "}{", "${x}", "x/", "/x", "..", "../x", "/", "%2F", "%2f", "~", "x\\", "feed", "u:x", "buckets"},
	{"'", "''", "'; --", "-- x", "' OR ''='", "\"", "\"\"", "`", "\\", "\\\\", "\\'", "$1", ":1", "@x", "?1", "%s", "%00", "\\0", "<b>", "&amp;", "&"},
	{"ss", "SS", "\u00df", "\u1e9e", "\ufb01", "fi", "\ufb00", "ff", "ae", "\u00e6", "A\u030a", "\u00c5", "\u212b", "\u00e5", "k", "K", "\u212a", "\u03c3", "\u03c2", "\u03a3"},
	{"i", "I", "\u0131", "\u0130", "i\u0307", "I\u0307", "j", "\u00ec"},
	{"0", "00", "-0", "+0", "1", "01", "1 ", "1.0", "1e0", "0x1", "+1", "\u0661", "\u2460", "\u00b9", "true", "t"},
	{"NULL", "null", "Null", "nil", "undefined", "None", "NaN", "false", "DEFAULT"},
	{"\U0001f512", "\U0001f513", "\U0001f44d", "\U0001f44d\U0001f3fd", "\U0001d11e", "\ufffd", "\ufffe", "\u2603", "\U0010ffff"},
	{
		n253, n253 + "a", n253 + "A", n253 + "aa", n253 + "ab", n253 + "aA", n253 + "\u00e9", n253 + "a ", n253[:191], n253[:192],
		strings.Repeat("\u00e9", 127), strings.Repeat("\u00e9", 127) + "e", strings.Repeat("\u00e9", 127) + "f",
		strings.Repeat("\U0001f512", 63) + "abc", strings.Repeat("\U0001f512", 63) + "abd",
	},
}

var n253 = strings.Repeat("n", 253)

// names are all of them.
var names = slices.Compact(slices.Sorted(slices.Values(slices.Concat(alike...))))
