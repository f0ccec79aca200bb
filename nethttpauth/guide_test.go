package nethttpauth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What code in the guide may use without saying so.
const guideNames = `
var (
	auth                      *core.Auth
	config                    core.Config
	mux                       *http.ServeMux
	users                     Users
	old, next, signer         crypto.Signer
	newest, older             []byte
	news                      http.HandlerFunc
	invoices, payout, reports http.Handler

	ErrNoUser  = errors.New("no such user")
	NewMyStore func() core.Store
	sendMail   func(context.Context, User, core.Notice) error
	checkCode  func(ctx context.Context, userID, code string) error
)

type User struct {
	ID             string
	Scopes, Roles  []string
	Disabled, Paid bool
}

func (User) HasPassword(string) bool { return false }

type Users struct{}

func (Users) ByName(context.Context, string) (u User, err error)        { return }
func (Users) ByID(context.Context, string) (u User, err error)          { return }
func (Users) Check(context.Context, string, string) (u User, err error) { return }
func (Users) Disable(context.Context, string) error                     { return nil }

var (
	_ = json.Marshal
	_ = fmt.Print
	_ = log.Print
	_ = slog.Info
	_ = netip.ParseAddr
	_ = os.Getenv
	_ = time.Now
	_ = storetest.Run
	_ = memstore.New
	_ = nethttpauth.Write
	_ testing.TB
)
`

var guideImports = strings.Fields(`context crypto encoding/json errors fmt log log/slog net/http net/netip os testing time
	github.com/sallyport-go/sallyport/core github.com/sallyport-go/sallyport/core/sealed github.com/sallyport-go/sallyport/core/storetest
	github.com/sallyport-go/sallyport/memstore github.com/sallyport-go/sallyport/nethttpauth`)

const guideArguments = "w http.ResponseWriter, r *http.Request, ctx context.Context, p *core.Principal, token, userID, deviceID string, sessionID core.ID"

// The Go code of the guide is formatted and compiles: as one package, in which a
// block is declarations, or else the body of a function.
func TestGuide(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs/guide/*.md"))
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	var program bytes.Buffer
	fmt.Fprint(&program, "package guide\n\n")
	for _, path := range guideImports {
		fmt.Fprintf(&program, "import %q\n", path)
	}
	fmt.Fprint(&program, guideNames)
	blocks := 0
	for _, page := range append(pages, filepath.Join(root, "docs/guide.md"), filepath.Join(root, "docs/operations.md"), filepath.Join(root, "docs/security.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllSubmatchIndex(text, -1) {
			code, line := string(text[m[2]:m[3]]), 1+bytes.Count(text[:m[2]], []byte("\n"))
			if strings.Contains(code, "promauth.") || strings.Contains(code, "otelauth.") {
				continue // of other modules: their tests see that it is of an example that runs
			}
			if formatted, err := format.Source([]byte(code)); err != nil || string(formatted) != code {
				t.Errorf("%s:%d: not formatted (%v), want\n%s", page, line, err, formatted)
			}
			blocks++
			_, err := parser.ParseFile(token.NewFileSet(), "", "package guide\n"+code, 0)
			if declares := err == nil; declares {
				fmt.Fprintf(&program, "\n//line %s:%d\n%s", page, line, code)
				continue
			}
			fmt.Fprintf(&program, "\nfunc _(%s) {\n{\n//line %s:%d\n%s", guideArguments, page, line, code)
			for _, name := range assignedNames(code) {
				fmt.Fprintf(&program, "_ = %s\n", name)
			}
			fmt.Fprint(&program, "}\n}\n")
		}
	}
	if blocks < 30 {
		t.Errorf("%d blocks", blocks)
	}

	// A package of the checkout that is not there: it imports what the checkout does.
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "guide.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "docs/block/guide.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{source: program.Bytes(), overlay: replace} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "./docs/block")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// assignedNames returns the variables that statements declare at their top.
func assignedNames(code string) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package guide\nfunc _() {\n"+code+"\n}", 0)
	if err != nil {
		return nil // the compiler says so
	}
	var names []string
	for _, s := range file.Decls[0].(*ast.FuncDecl).Body.List {
		if s, ok := s.(*ast.AssignStmt); ok && s.Tok == token.DEFINE {
			for _, e := range s.Lhs {
				if name := e.(*ast.Ident).Name; name != "_" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
