package geoip_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The Go code of the guide's page is formatted and compiles, each block as the body of
// a function. Its fence says golang: what says go there is compiled in the root module,
// which has no geoip.
func TestGuide(t *testing.T) {
	page, err := filepath.Abs("../docs/guide/places.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	program := bytes.NewBufferString("package guide\n\n")
	for _, path := range []string{"context", "log", "log/slog", "time", "github.com/sallyport-go/sallyport/core", "github.com/sallyport-go/sallyport/geoip"} {
		fmt.Fprintf(program, "import %q\n", path)
	}
	fmt.Fprint(program, "\nvar config core.Config\n\nvar (\n\t_ = log.Fatal\n\t_ = slog.Info\n\t_ = time.Now\n\t_ = geoip.Open\n)\n")
	blocks := regexp.MustCompile("(?ms)^```golang\n(.*?)^```").FindAllSubmatchIndex(text, -1)
	if len(blocks) < 2 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, m := range blocks {
		code, line := string(text[m[2]:m[3]]), 1+bytes.Count(text[:m[2]], []byte("\n"))
		if formatted, err := format.Source([]byte(code)); err != nil || string(formatted) != code {
			t.Errorf("%s:%d: not formatted (%v), want\n%s", page, line, err, formatted)
		}
		fmt.Fprintf(program, "\nfunc _(ctx context.Context) {\n//line %s:%d\n%s}\n", page, line, code)
	}

	// A package of this module that is not there.
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "guide.go"), filepath.Join(dir, "overlay.json")
	here, err := filepath.Abs("block/guide.go")
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{here: source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{source: program.Bytes(), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "./block").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
