package adaptertest

import (
	"fmt"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

var cookieCases = []testCase{
	{
		"cookies/every",
		"Cookies returns every cookie of the name, in the order in which they were sent, over all lines; none if there are none.",
		everyCookie,
	},
	{
		"cookies/verbatim",
		"A cookie's value is what was sent: nothing is decoded, unquoted or left out, and an empty one counts.",
		cookieValues,
	},
	{
		"cookies/names",
		"Names are compared as bytes: letter case matters, and a name that begins or ends alike is another one.",
		cookieNames,
	},
	{
		"cookies/neighbours",
		"What is malformed beside a good cookie neither hides it nor becomes part of it.",
		cookieNeighbours,
	},
}

// cookies are those that a site should see of the name "kit".
type cookies struct {
	lines []string // of Cookie headers
	want  []string
}

func (k *kit) cookies(table []cookies) {
	p := k.probe(App{})
	for _, tt := range table {
		var lines []string
		for _, l := range tt.lines {
			lines = append(lines, "Cookie: "+l)
		}
		p.show(wire("GET", probePath, lines...), func(r core.Request) {
			k.equalList(fmt.Sprintf("Cookie: %s: Cookies(\"kit\")", strings.Join(tt.lines, " | ")), r.Cookies("kit"), tt.want)
		})
	}
}

func everyCookie(k *kit) {
	k.cookies([]cookies{
		{nil, nil},
		{[]string{"kit=a"}, []string{"a"}},
		{[]string{"other=a"}, nil},
		{[]string{"other=x; kit=a; more=y"}, []string{"a"}},
		{[]string{"kit=b; kit=a"}, []string{"b", "a"}},
		{[]string{"kit=a; kit=a"}, []string{"a", "a"}},
		{[]string{"kit=c; x=1; kit=; kit=b", "y=2; kit=a; kit=c"}, []string{"c", "", "b", "a", "c"}},
		{[]string{"x=1", "kit=a", "y=2", "kit=b"}, []string{"a", "b"}},
	})
}

func cookieValues(k *kit) {
	var table []cookies
	for _, v := range []string{
		"", "=", "==", "a=b", "YWJjZA==", "a+b/c-d_e~", "%41", "%22", "%", "%zz", "a%2541", `"quoted"`, `""`, `"a b"`, "a b", "a,b", "{x}", "[1]", "(a)", "a:b@c?d#e", "<a>", "'a'",
		strings.Repeat("0123456789abcdef", 100),
	} {
		table = append(table, cookies{[]string{"kit=" + v}, []string{v}}, cookies{[]string{"a=1; kit=" + v + "; kit=z"}, []string{v, "z"}})
	}
	k.cookies(table)
}

func cookieNames(k *kit) {
	k.cookies([]cookies{
		{[]string{"Kit=a; KIT=b; kiT=c"}, nil},
		{[]string{"Kit=a; kit=b"}, []string{"b"}},
		{[]string{"kit2=a; akit=b; kit-a=c; __Secure-kit=d; ki=e"}, nil},
		{[]string{"kitkit=a; kit=b; xkit=c"}, []string{"b"}},
		{[]string{"x=kit=a"}, nil},
		{[]string{"x=kit; kit=a"}, []string{"a"}},
		{[]string{"%6bit=a; kit%20=b"}, nil},
	})
}

func cookieNeighbours(k *kit) {
	var table []cookies
	for _, bad := range []string{
		"", " ", "=x", "=", "alone", "a b=x", "a@b=x", `"q"=x`, `x="open`, `x=a"b`, `x=a\b`, "x=caf\xe9", "x=café", "caf\xe9=x", "x=a,y=b", "x={\"a\":1}", "$Version=1", "x==",
	} {
		table = append(
			table,
			cookies{[]string{bad + "; kit=a"}, []string{"a"}},
			cookies{[]string{"kit=a; " + bad}, []string{"a"}},
			cookies{[]string{"kit=a; " + bad + "; kit=b"}, []string{"a", "b"}},
			cookies{[]string{bad, "kit=a"}, []string{"a"}},
		)
	}
	k.cookies(append(
		table,
		cookies{[]string{"x=1;kit=a;y=2;kit=b"}, []string{"a", "b"}},
		cookies{[]string{"  kit=a  ;   kit=b  "}, []string{"a", "b"}},
		cookies{[]string{";;kit=a;; ;kit=b;"}, []string{"a", "b"}},
	))
}
