package archtest

import (
	"go/ast"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	namedTest  = regexp.MustCompile(`\b(?:Test|Fuzz|Example|Benchmark)_?[A-Z]\w*|\bExample_\w+`)
	linkedTest = regexp.MustCompile("\\[`(\\w+)`\\]\\(([^)]+)\\)")
)

// Every test that the security guide names is there, in the file that it links
// to: a promise whose proof was renamed or dropped has to be looked at again.
func TestSecurityGuide(t *testing.T) {
	faults, named := guideFaults(t, os.DirFS(root), "docs/security.md")
	for _, what := range faults {
		t.Error(what)
	}
	if named < 20 {
		t.Errorf("%d tests are named", named)
	}
}

// guideFaults tells which tests that a page names are not where it says, and how
// many it names.
func guideFaults(t *testing.T, fsys fs.FS, page string) (faults []string, named int) {
	t.Helper()
	sources, err := load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	where := make(map[string][]string) // the files in which a test is, by its name
	for _, s := range sources {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
				where[f.Name.Name] = append(where[f.Name.Name], s.path)
			}
		}
	}
	text, err := fs.ReadFile(fsys, page)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range namedTest.FindAllString(string(text), -1) {
		named++
		if where[name] == nil {
			faults = append(faults, "there is no test "+name)
		}
	}
	for _, m := range linkedTest.FindAllStringSubmatch(string(text), -1) {
		name, file := m[1], path.Join(path.Dir(page), m[2])
		if where[name] != nil && !slices.Contains(where[name], file) {
			faults = append(faults, name+" is not in "+file+" but in "+strings.Join(where[name], ", "))
		}
	}
	return faults, named
}

// The check is shown pages with and without faults.
func TestSecurityGuideFires(t *testing.T) {
	for _, tt := range []struct {
		page   string
		faults int
		named  int
	}{
		{"[`TestA`](../core/a_test.go), `Example_b`, `FuzzC`: all there; a Test of nothing, `Tested`", 0, 3},
		{"`TestB`", 1, 1},
		{"[`TestB`](../core/a_test.go)", 1, 1},
		{"[`TestA`](../core/b_test.go)", 1, 1},
		{"`TestMethod` is a method", 1, 1},
		{"`TestLibrary` is not in a test", 1, 1},
	} {
		faults, named := guideFaults(t, fstest.MapFS{
			"docs/security.md": {Data: []byte(tt.page)},
			"core/a_test.go":   {Data: []byte("package core; func TestA() {}; func Example_b() {}; type T int; func (T) TestMethod() {}")},
			"core/b_test.go":   {Data: []byte("package core; func FuzzC() {}")},
			"core/a.go":        {Data: []byte("package core; func TestLibrary() {}")},
		}, "docs/security.md")
		if len(faults) != tt.faults || named != tt.named {
			t.Errorf("%s: got %q and %d named, want %d faults and %d named", tt.page, faults, named, tt.faults, tt.named)
		}
	}
}
