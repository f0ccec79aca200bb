// Package checkouttest builds a program as an app outside the checkout does.
package checkouttest

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const root = "github.com/sallyport-go/sallyport"

// Program returns the nth program or piece of one that the README shows, from 0.
func Program(t *testing.T, n int) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```go\n")
	if len(blocks) < n+2 {
		t.Fatalf("the README has %d programs", len(blocks)-1)
	}
	block, _, _ := strings.Cut(blocks[n+1], "```")
	return block
}

// Main returns the program of an example, such as example_mount_test.go.
func Main(t *testing.T, file string) string {
	t.Helper()
	example, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(example), "_test\n")
	return "package main\n" + strings.Replace(program, "func Example_mount() {", "func main() {", 1)
}

// Build builds a program in a module of its own, by each of the ways that the
// README names. It runs in the folder of a package of the checkout: module is
// the one it is of, "" for the root or a folder such as "ginauth".
func Build(t *testing.T, module, program string) {
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(checkout, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	readme, mod, sums := read("README.md"), read(filepath.Join(module, "go.mod")), read(filepath.Join(module, "go.sum"))
	replace := []string{edit("")}
	work := "go work init . ../sallyport"
	if module != "" {
		replace, work = append(replace, edit(module)), work+" ../sallyport/"+module
	}
	// Nothing is downloaded: what the module requires is there, or the test that
	// calls this would not have been compiled.
	offline := []string{"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local"}
	for _, tt := range []struct {
		name     string
		commands []string
		env      []string
	}{
		{"replace", replace, []string{"GOWORK=off", "GOFLAGS=-mod=mod"}},
		{"go work", []string{work}, []string{"GOWORK=", "GOFLAGS="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(app, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// The versions of the checkout: with others "go mod tidy" would
			// have to look for them.
			requirements, _, _ := strings.Cut(mod[strings.Index(mod, "\ngo "):], "\nreplace ")
			var kept []string
			for line := range strings.Lines(requirements) {
				if !strings.Contains(line, root+" ") { // the command adds it
					kept = append(kept, line)
				}
			}
			write("go.mod", "module example.com/app\n"+strings.Join(kept, ""))
			write("go.sum", sums)
			write("main.go", program)
			run := func(command string) {
				t.Helper()
				args := strings.Fields(command)
				for i := range args {
					args[i] = strings.Replace(args[i], "../sallyport", checkout, 1)
				}
				cmd := exec.Command(args[0], args[1:]...)
				cmd.Dir = app
				cmd.Env = append(append(cmd.Environ(), offline...), tt.env...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
			}
			for _, command := range tt.commands {
				if says := strings.ReplaceAll(command, cmp.Or(module, "ginauth"), "ginauth"); !strings.Contains(readme, says+"\n") {
					t.Errorf("the README does not say: %s", says)
				}
				run(command)
			}
			run("go vet .")
			run("go build -o app .")
		})
	}
}

// edit is the command that has an app find a module in the checkout.
func edit(module string) string {
	path, dir := root, "../sallyport"
	if module != "" {
		path, dir = path+"/"+module, dir+"/"+module
	}
	return "go mod edit -require=" + path + "@v0.0.0 -replace=" + path + "=" + dir
}
