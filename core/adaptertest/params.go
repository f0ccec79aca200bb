package adaptertest

import (
	"fmt"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

var paramCases = []testCase{
	{
		"params/decoded-once",
		"A path parameter is percent-decoded exactly once, and by nothing but the percent sign: \"+\" stays, an encoded slash does not end the parameter.",
		paramValues,
	},
	{
		"params/by-name",
		"Each parameter of a path has the value of its own place; a name that the path does not have is \"\", whatever query and body say.",
		paramNames,
	},
}

func paramValues(k *kit) {
	p := k.probe(App{})
	for sent, want := range map[string]string{
		"alice":                       "alice",
		"a%20b":                       "a b",
		"a+b":                         "a+b",
		"a%2Bb":                       "a+b",
		"a%2Fb":                       "a/b",
		"a%2fb":                       "a/b",
		"%2Fa%2F%2Fb%2F":              "/a//b/",
		"%25":                         "%",
		"%2525":                       "%25",
		"%252F":                       "%2F",
		"a%2520b":                     "a%20b",
		"a%2Fb+c":                     "a/b+c",
		"a%2Fb%2520c":                 "a/b%20c",
		"caf%C3%A9":                   "café",
		"%e2%82%ac":                   "€",
		"%F0%9F%98%80":                "\U0001f600",
		"a.b":                         "a.b",
		"...":                         "...",
		"%2e%2e":                      "..",
		"%2E":                         ".",
		"..%2f":                       "../",
		"..%2F..%2Fadmin":             "../../admin",
		"a:b":                         "a:b",
		"a%3Ab":                       "a:b",
		"a;b=c,d":                     "a;b=c,d",
		"a@b.example":                 "a@b.example",
		"a%3Fb":                       "a?b",
		"a%23b":                       "a#b",
		"a&b=c":                       "a&b=c",
		"%7Bx%7D":                     "{x}",
		"%2A":                         "*",
		"*":                           "*",
		"%5Cb":                        `\b`,
		"a~!$'()":                     "a~!$'()",
		"%41%6C":                      "Al",
		strings.Repeat("%C3%A9", 127): strings.Repeat("é", 127), // the longest user ids
	} {
		p.show(wire("GET", fmt.Sprintf(usersPath, sent)), func(r core.Request) {
			k.equal(fmt.Sprintf("%s: Param", sent), r.Param("user"), want)
		})
	}
}

func paramNames(k *kit) {
	p := k.probe(App{})
	p.show(wire("GET", fmt.Sprintf(usersPath, "alice")+"?user=bob&other=c%2Fd"), func(r core.Request) {
		k.equal("Param", r.Param("user"), "alice")
		k.equal("a name that the path does not have: Param", r.Param("other"), "")
		k.equal("an empty name: Param", r.Param(""), "")
	})
	p.show(wire("GET", fmt.Sprintf(pairsPath, "a%2Fb", "c%2520d")), func(r core.Request) {
		k.equal("the first: Param", r.Param("first"), "a/b")
		k.equal("the second: Param", r.Param("second"), "c%20d")
		k.equal("another route's: Param", r.Param("user"), "")
	})
	form := wireBody("POST", probePath+"?user=a&first=b", "user=c&first=d", "Content-Type: application/x-www-form-urlencoded")
	p.show(form, func(r core.Request) {
		k.equal("a path without any: Param", r.Param("user"), "")
		k.equal("a path without any: Param", r.Param("first"), "")
	})
}
