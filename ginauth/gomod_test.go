package ginauth_test

import (
	"cmp"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// Gin 1.12 itself asks for versions of these with known vulnerabilities. An app
// gets at least those that are required here, and so tidying must not lower them.
func TestRequirements(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for module, least := range map[string][3]int{
		"github.com/quic-go/quic-go": {0, 59, 1}, // HTTP/3: Gin's RunQUIC
		"golang.org/x/net":           {0, 55, 0}, // HTTP/2 and HTML
		"golang.org/x/text":          {0, 39, 0}, // language tags and transforms
	} {
		line := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` v(\d+)\.(\d+)\.(\d+)(?:\s|$)`).FindStringSubmatch(string(text))
		if line == nil {
			t.Errorf("%s: got no requirement of a release, want at least v%v", module, least)
			continue
		}
		order := 0
		for i, want := range least {
			got, err := strconv.Atoi(line[1+i])
			if err != nil {
				t.Fatal(err)
			}
			order = cmp.Or(order, cmp.Compare(got, want))
		}
		if order < 0 {
			t.Errorf("got %s, want at least v%v", line[0], least)
		}
	}
}
