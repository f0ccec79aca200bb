package alike

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// unlike are headers that are not compared, each with its reason. All others are:
// their names as they were sent, the number of lines, and the values.
var unlike = map[string]string{
	"Date":              "the server's clock, to the second",
	"Content-Length":    "how a body is framed is the server's; the body itself is compared",
	"Transfer-Encoding": "likewise: net/http sends a body beyond its buffer in chunks",
	"Connection":        "whether the connection is kept is between the server and its peer",
}

var (
	refreshAge = regexp.MustCompile(`^([^=]+=sprt_[^;]+;.*Max-Age=)(\d+)(.*)$`)
	stamp      = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)
)

// view is what of an answer has to be the same everywhere.
type view struct {
	lines   []string
	moments []moments
}

// view reads an answer with a server's names.
func (b *book) view(a *answer) *view {
	v := new(view)
	var notes []string
	add := func(label, text string) {
		p := b.read(text)
		v.lines = append(v.lines, label+p.text)
		v.moments = append(v.moments, p.moments...)
		notes = append(notes, p.notes...)
	}
	if a.broken != "" {
		add("", a.broken)
	} else {
		add("", fmt.Sprintf("%d %s", a.status, a.reason)) // the version is the server's (RFC 9110 section 6.2)
	}
	headers := slices.Clone(a.headers)
	slices.SortStableFunc(headers, func(x, y header) int { return strings.Compare(x.name, y.name) })
	for _, h := range headers {
		if unlike[h.name] != "" {
			continue
		}
		if m := refreshAge.FindStringSubmatch(h.value); m != nil && strings.EqualFold(h.name, "Set-Cookie") {
			v.moments = append(v.moments, b.whenLeft(m[2]))
			h.value = m[1] + "(a time)" + m[3]
		}
		add("header ", h.name+": "+h.value)
	}
	add("body ", a.body)
	if a.stray != "" {
		add("stray bytes ", a.stray)
	}
	for _, line := range a.records {
		add("log ", stamp.ReplaceAllString(line, ""))
	}
	for _, note := range notes {
		v.lines = append(v.lines, "note "+note)
	}
	return v
}

// differ returns how views differ, or "".
func differ(servers []*server, views []*view) string {
	for i := 0; ; i++ {
		var got []string
		for _, v := range views {
			line := "(nothing more)"
			if i < len(v.lines) {
				line = v.lines[i]
			}
			got = append(got, line)
		}
		if slices.ContainsFunc(got, func(line string) bool { return line != got[0] }) {
			return told(servers, got)
		}
		if i >= len(views[0].lines) {
			break
		}
	}
	for i := range views[0].moments { // as many in each, or the lines would differ
		var all []moments
		for _, v := range views {
			all = append(all, v.moments[i])
		}
		if !common(all) {
			var got []string
			for _, m := range all {
				got = append(got, fmt.Sprintf("time %d, %s, which may be %v", i+1, m.told, slices.Sorted(keys(m.may))))
			}
			return told(servers, got)
		}
	}
	return ""
}

func keys(m map[string]bool) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func told(servers []*server, got []string) string {
	var b strings.Builder
	for i, s := range servers {
		text := strconv.Quote(got[i])
		if len(text) > 1500 {
			text = text[:1500] + "..."
		}
		fmt.Fprintf(&b, "    %-8s %s\n", s.name, text)
	}
	return b.String()
}
