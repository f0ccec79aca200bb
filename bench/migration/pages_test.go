package migration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```")

// shown is which page shows code of which folder here.
var shown = map[string]string{
	"guide/adopting/nethttp.md": "adopting/nethttp",
	"guide/adopting/gin.md":     "adopting/gin",
	"guide/adopting/fiber.md":   "adopting/fiber",
	"migrating/gin-jwt.md":      "ginjwt",
	"migrating/fiber-jwt.md":    "fiberjwt",
	"migrating/handwritten.md":  "handwritten",
}

// The pages show code that runs here: each declaration stands in a file of the
// folder, line by line, and so do blocks of statements, at whatever depth.
func TestPages(t *testing.T) {
	for page, folder := range shown {
		var files []string
		for _, path := range glob(t, folder+"/*.go") {
			if !strings.HasSuffix(path, "_test.go") {
				files = append(files, read(t, path))
			}
		}
		blocks := blocksOf(t, page)
		if len(blocks) < 3 {
			t.Errorf("%s: got %d blocks of code", page, len(blocks))
		}
		for _, block := range blocks {
			for _, piece := range pieces(block) {
				if !slices.ContainsFunc(files, func(file string) bool { return stands(piece, file) }) {
					t.Errorf("%s: no file of %s has\n%s", page, folder, piece)
				}
			}
		}
	}
}

// No page of the two folders is left out, and the page that they share has no
// code of its own.
func TestEveryPage(t *testing.T) {
	for _, path := range append(glob(t, "../../docs/migrating/*.md"), glob(t, "../../docs/guide/adopting/*.md")...) {
		page, err := filepath.Rel("../../docs", path)
		if err != nil {
			t.Fatal(err)
		}
		if shown[filepath.ToSlash(page)] == "" {
			t.Errorf("%s is not checked", page)
		}
	}
	if blocks := blocksOf(t, "migrating.md"); len(blocks) > 0 {
		t.Errorf("migrating.md: got code that nobody runs:\n%s", blocks)
	}
}

// A reader of a framework's page finds all that is new in each step.
func TestSteps(t *testing.T) {
	for page, folder := range shown {
		if !strings.HasPrefix(folder, "adopting/") {
			continue
		}
		blocks := strings.Join(blocksOf(t, page), "\n")
		text := read(t, folder+"/app.go")
		file, err := parser.ParseFile(token.NewFileSet(), "", text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Before", "Guarded", "known", "Refreshed", "Adopted", "signIn"} {
			i := slices.IndexFunc(file.Decls, func(d ast.Decl) bool {
				f, ok := d.(*ast.FuncDecl)
				return ok && f.Name.Name == name
			})
			if i < 0 {
				t.Fatalf("%s: no func %s", folder, name)
			}
			d := file.Decls[i]
			if !strings.Contains(blocks, text[d.Pos()-1:d.End()-1]) {
				t.Errorf("%s: does not show func %s", page, name)
			}
		}
	}
}

// pieces are the declarations of a block, with their comments; statements are one.
func pieces(block string) []string {
	var out []string
	last := ""
	for line := range strings.Lines(block) {
		if last == "\n" && !strings.HasPrefix(line, "\t") && line != "\n" || out == nil {
			out = append(out, "")
		}
		out[len(out)-1] += line
		last = line
	}
	for i := range out {
		out[i] = strings.TrimRight(out[i], "\n") + "\n"
	}
	return out
}

// stands reports whether a piece is in a file, moved to the right or not.
func stands(piece, file string) bool {
	for range 5 {
		if strings.Contains("\n"+file, "\n"+piece) {
			return true
		}
		var deeper strings.Builder
		for line := range strings.Lines(piece) {
			if line != "\n" {
				deeper.WriteByte('\t')
			}
			deeper.WriteString(line)
		}
		piece = deeper.String()
	}
	return false
}

func blocksOf(t *testing.T, page string) (blocks []string) {
	for _, m := range goBlock.FindAllStringSubmatch(read(t, "../../docs/"+page), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: got %v, %v", pattern, paths, err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
