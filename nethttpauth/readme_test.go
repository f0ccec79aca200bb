package nethttpauth_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmeProgram returns the program that the README shows.
func readmeProgram(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README shows no program")
	}
	return block
}

// The README's program is the one in example_mount_test.go, which is compiled.
func TestReadmeProgram(t *testing.T) {
	example, err := os.ReadFile("example_mount_test.go")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("package nethttpauth_test\n", "package main\n", "func Example_mount() {", "func main() {").Replace(string(example))
	if got := readmeProgram(t); got != want {
		t.Errorf("the README's program:\n%s\nwant that of example_mount_test.go:\n%s", got, want)
	}
}

// Until it is published an app outside uses the checkout, as the README says.
func TestFromCheckout(t *testing.T) {
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is downloaded: what the module requires is there, or this test
	// would not have been compiled.
	offline := []string{"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local"}
	for _, tt := range []struct {
		name     string
		commands []string
		env      []string
	}{
		{"replace", []string{
			"go mod edit -require=github.com/sallyport-go/sallyport@v0.0.0 -replace=github.com/sallyport-go/sallyport=../sallyport",
		}, []string{"GOWORK=off", "GOFLAGS=-mod=mod"}},
		{"go work", []string{
			"go work init . ../sallyport",
		}, []string{"GOWORK=", "GOFLAGS="}},
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
			requirements := string(mod[strings.Index(string(mod), "\ngo "):])
			write("go.mod", "module example.com/app\n"+requirements)
			write("go.sum", string(sums))
			write("main.go", readmeProgram(t))
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
				if !strings.Contains(string(readme), command+"\n") {
					t.Errorf("the README does not say: %s", command)
				}
				run(command)
			}
			run("go vet .")
			run("go build -o app .")
		})
	}
}
