package words_test

import (
	"context"
	"crypto/rand"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/internal/words"
	"github.com/sallyport-go/sallyport/memstore"
)

// said is what core's source has of words that an Observer may be told.
type said struct {
	codes     []string            // of its errors
	constants map[string][]string // by type
	causes    []string            // literals that an Event has as its Cause
	calls     []string            // on the store
	limits    []string
}

func readCore(t *testing.T) said {
	t.Helper()
	s := said{constants: make(map[string][]string)}
	files, err := filepath.Glob("../../core/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	text := func(e ast.Expr) (string, bool) {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return "", false
		}
		w, err := strconv.Unquote(l.Value)
		return w, err == nil
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				kind, _ := n.Type.(*ast.Ident)
				for _, e := range n.Elts {
					pair, ok := e.(*ast.KeyValueExpr)
					if !ok || kind == nil {
						continue
					}
					key, _ := pair.Key.(*ast.Ident)
					w, ok := text(pair.Value)
					switch {
					case !ok || key == nil:
					case kind.Name == "Error" && key.Name == "Code":
						s.codes = append(s.codes, w)
					case kind.Name == "Event" && key.Name == "Cause":
						s.causes = append(s.causes, w)
					}
				}
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && len(n.Values) == 1 {
					if w, ok := text(n.Values[0]); ok {
						s.constants[kind.Name] = append(s.constants[kind.Name], w)
					}
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if to, ok := to.(*ast.SelectorExpr); ok && to.Sel.Name == "Cause" && i < len(n.Rhs) {
						if w, ok := text(n.Rhs[i]); ok {
							s.causes = append(s.causes, w)
						}
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "observe" && len(n.Args) == 4 {
					if w, ok := text(n.Args[1]); ok {
						s.calls = append(s.calls, w)
					}
				}
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "minutely" && len(n.Args) > 0 {
					if w, ok := text(n.Args[0]); ok {
						s.limits = append(s.limits, w)
					}
				}
			}
			return true
		})
	}
	return s
}

// Whatever core may tell an Observer is of the set that it belongs to: a word that
// were missing would be counted as "other".
func TestWordsAreThoseOfCore(t *testing.T) {
	s := readCore(t)
	var modes []string
	for _, m := range words.Modes() {
		modes = append(modes, string(m))
	}
	for _, c := range []struct {
		what  string
		words []string
		least int
		of    func(string) string
	}{
		{"code", s.codes, 25, words.Outcomes().Of},
		{"code as a cause", s.codes, 25, words.Causes().Of},
		{"event", s.constants["EventName"], 20, words.Events().Of},
		{"reason", s.constants["Reason"], 15, words.Causes().Of},
		{"cause", s.causes, 0, words.Causes().Of},
		{"limit", s.limits, 0, words.Causes().Of},
		{"call", s.calls, 5, words.Calls().Of},
		{"mode", s.constants["Mode"], 4, func(m string) string {
			if slices.Contains(modes, m) {
				return m
			}
			return words.Other
		}},
	} {
		if len(c.words) < c.least {
			t.Errorf("%d words in core are a %s, want at least %d", len(c.words), c.what, c.least)
		}
		for _, w := range c.words {
			if c.of(w) != w {
				t.Errorf("%s %q counts as %q", c.what, w, c.of(w))
			}
		}
	}
}

// Each limit of core.Limits can be a cause, by its name or what begins with it.
func TestLimitsAreCauses(t *testing.T) {
	causes, limits := words.Causes(), reflect.TypeFor[core.Limits]()
	for i := range limits.NumField() {
		f := limits.Field(i)
		if f.Type.Kind() != reflect.Int {
			continue
		}
		var name strings.Builder
		for j, r := range f.Name {
			if j > 0 && 'A' <= r && r <= 'Z' {
				name.WriteByte('_')
			}
			name.WriteString(strings.ToLower(string(r)))
		}
		found := slices.ContainsFunc(words.Limits(), func(w string) bool {
			return (w == name.String() || strings.HasPrefix(w, name.String()+"_")) && causes.Of(w) == w
		})
		if !found {
			t.Errorf("no cause is the limit %s, %q", f.Name, name.String())
		}
	}
}

// Each route of an Auth counts by its path, and so does no path that a client made up.
func TestRoutesAreThoseOfAnAuth(t *testing.T) {
	secret := make([]byte, 32)
	rand.Read(secret)
	auth, err := core.New(core.Config{
		Store: memstore.New(), Keys: []core.Key{{Secret: secret}},
		Authenticate: func(context.Context, core.Credentials) (core.Identity, error) { return core.Identity{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	known, n := words.Routes(), 0
	for _, r := range slices.Concat(auth.Routes(), auth.AdminRoutes(), auth.KeyRoutes()) {
		if n++; known.Of(r.Path) != r.Path {
			t.Errorf("%s counts as %q", r.Path, known.Of(r.Path))
		}
	}
	if n != len(known) {
		t.Errorf("%d routes are known, an Auth has %d", len(known), n)
	}
	if got := known.Of("/users/alice/tokens"); got != words.Other {
		t.Errorf("a path of a client's counts as %q", got)
	}
}

// What gets a zero before it comes is of its set; a reason of the app's own counts if
// the app has named it.
func TestZeroesAndReasons(t *testing.T) {
	for _, w := range append(words.Guarded(), words.Failed()...) {
		if words.Outcomes().Of(w) != w {
			t.Errorf("outcome %q is not known", w)
		}
	}
	for event, causes := range words.Alarms() {
		if words.Events().Of(string(event)) != string(event) {
			t.Errorf("event %q is not known", event)
		}
		for _, w := range causes {
			if words.Causes().Of(w) != w {
				t.Errorf("cause %q of %s is not known", w, event)
			}
		}
	}
	const own core.Reason = "moved_away"
	if got := words.Causes().Of(string(own)); got != words.Other {
		t.Errorf("a reason that nobody named counts as %q", got)
	}
	if got := words.Causes(own).Of(string(own)); got != string(own) {
		t.Errorf("a reason of the app's counts as %q", got)
	}
}
