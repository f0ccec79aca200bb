// Package archtest holds the house's rules about its own tree, each with its
// reason, so that a change that breaks one learns why it is there.
package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/sallyport-go/sallyport"
	core   = module + "/core"
	root   = "../.." // of the checkout
)

// source is one Go file, read.
type source struct {
	path  string // slashes, from the root of the checkout
	test  bool   // its name ends in _test.go
	lines int
	set   *token.FileSet
	file  *ast.File
}

// rule is what every file that it is about has to keep.
type rule struct {
	name   string
	reason string
	about  func(source) bool
	breaks func(source) []string // what in the file breaks it
}

var rules = []rule{
	{
		name:   "core imports",
		reason: "core knows no framework and no database: it stands on the standard library, a JWT parser, a strict JSON decoder, a cache, a rate limit, x/sync and what core/internal/agent does, and so an app that imports it gets nothing else",
		about:  func(s source) bool { return s.in("core") && !s.in("core/internal/agent") && !s.test },
		breaks: importsBeyond(inStd, under(core), under("github.com/golang-jwt/jwt/v5"), under("github.com/go-json-experiment/json"), under("github.com/maypok86/otter/v2"), among("github.com/throttled/throttled/v2"), under("golang.org/x/sync")),
	},
	{
		name:   "agent imports",
		reason: "what reads headers that anybody can write knows nothing of sessions: two parsers and the standard library are enough for it, and nothing else in core imports those",
		about:  func(s source) bool { return s.in("core/internal/agent") && !s.test },
		breaks: importsBeyond(inStd, among("github.com/mileusna/useragent", "github.com/dunglas/httpsfv")),
	},
	{
		name:   "core is no server",
		reason: "HTTP is data in core: it takes names, cookies and the cross-origin check from net/http and leaves reading and answering to adapters, or the three frameworks would not get the same bytes (docs/adr/0004)",
		about:  func(s source) bool { return path.Dir(s.path) == "core" && !s.test },
		breaks: usesBeyond("net/http", func(name string) bool {
			return slices.Contains([]string{
				"Header", "CanonicalHeaderKey", "Cookie", "ParseCookie", "ParseSetCookie", "SameSite",
				"StatusText", "TimeFormat", "ParseTime",
				"Request", "CrossOriginProtection", "NewCrossOriginProtection",
			}, name) || hasAnyPrefix(name, "Status", "Method", "SameSite")
		}),
	},
	{
		name:   "rule imports",
		reason: "a rule is a function of a ledger, a request and a time: it reaches no store, no network and no randomness, or its states could not be explored (docs/adr/0001)",
		about:  isRule,
		breaks: importsBeyond(among("bytes", "cmp", "errors", "iter", "maps", "math", "net/netip", "slices", "sort", "strconv", "strings", "time")),
	},
	{
		name:   "rules read no clock",
		reason: "the time of a decision is handed in, or the same question would not get the same answer twice",
		about:  isRule,
		breaks: uses("time", clock...),
	},
	{
		name:   "memstore imports",
		reason: "the embedded store is in the root module: whatever it imports, every user gets",
		about:  func(s source) bool { return s.in("memstore") && !s.test },
		breaks: importsBeyond(inStd, under(core)),
	},
	{
		name:   "sealed imports",
		reason: "what encrypts is the standard library's, and what is encrypted is core's: whoever checks it has nothing else to read",
		about:  func(s source) bool { return s.in("core/sealed") && !s.test },
		breaks: importsBeyond(inStd, among(core)),
	},
	{
		name:   "stores read no clock",
		reason: "a store is told every time that it needs; two clocks in one decision would disagree",
		about: func(s source) bool {
			store := s.in("memstore") || s.in("redisstore") || s.in("sqlstore") || s.in("core/sealed")
			return store && !s.in("redisstore/internal/redistest") && !s.in("sqlstore/internal/sqltest") && !s.test
		},
		breaks: uses("time", clock[:3]...), // Tail may wait
	},
	{
		name:   "nethttpauth imports",
		reason: "the adapter translates and holds no rule; for that the standard library and core are enough",
		about:  func(s source) bool { return s.in("nethttpauth") && !s.test },
		breaks: importsBeyond(inStd, under(core)),
	},
	{
		name:   "ginauth imports",
		reason: "Gin stands on net/http, and so does its adapter on that of net/http; whatever else it imports, every user on Gin gets",
		about:  func(s source) bool { return s.in("ginauth") && !s.test },
		breaks: importsBeyond(inStd, under(core), under(module+"/nethttpauth"), under("github.com/gin-gonic/gin")),
	},
	{
		name:   "fiberauth imports",
		reason: "Fiber's requests are translated as fasthttp has them: turned into those of net/http each would be copied whole (docs/adr/0004)",
		about:  func(s source) bool { return s.in("fiberauth") && !s.test },
		breaks: importsBeyond(inStd, under(core), among("github.com/gofiber/fiber/v2", "github.com/gofiber/fiber/v2/utils", "github.com/valyala/fasthttp")),
	},
	{
		name:   "redisstore imports",
		reason: "the client is the app's own, and a rate limit is a script on it; whatever else the store imports, every user of it gets",
		about:  func(s source) bool { return s.in("redisstore") && !s.in("redisstore/internal") && !s.test },
		breaks: importsBeyond(inStd, under(core), under("github.com/redis/go-redis/v9"), among("github.com/go-redis/redis_rate/v10")),
	},
	{
		name:   "sqlstore imports",
		reason: "the driver is the app's own: an app on one database gets no driver of another",
		about: func(s source) bool {
			return s.in("sqlstore") && !s.in("sqlstore/internal/sqltest") && !s.in("sqlstore/migrate") && !s.test
		},
		breaks: importsBeyond(inStd, under(core), among(module+"/sqlstore/internal/schema", module+"/sqlstore/internal/sqlerr")),
	},
	{
		name:   "geoip imports",
		reason: "places take a reader of their databases' format; whatever else the resolver imports, every user of it gets",
		about:  func(s source) bool { return s.in("geoip") && !s.test },
		breaks: importsBeyond(inStd, among(core), under("github.com/oschwald/maxminddb-golang/v2")),
	},
	{
		name:   "promauth imports",
		reason: "the registry is the app's own, and so is what serves it; whatever else the module imports, every user of it gets",
		about:  func(s source) bool { return s.in("promauth") && !s.test },
		breaks: importsBeyond(inStd, among(core, module+"/internal/words", "github.com/prometheus/client_golang/prometheus")),
	},
	{
		name:   "otelauth imports",
		reason: "a library stands on OpenTelemetry's API alone: the SDK and its exporters are the app's choice",
		about:  func(s source) bool { return s.in("otelauth") && !s.test },
		breaks: importsBeyond(inStd, among(core, module+"/internal/words", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/metric")),
	},
	{
		name:   "metrics read no clock",
		reason: "how long something took is told: a clock of its own would measure something else",
		about:  func(s source) bool { return (s.in("promauth") || s.in("otelauth")) && !s.test },
		breaks: uses("time", clock...),
	},
	{
		name:   "no sleeping",
		reason: "code that sleeps cannot be cancelled, and a test that sleeps is slow on one machine and wrong on another: wait for what happens, and in testing/synctest let a timer or time.After move the clock",
		about:  func(source) bool { return true },
		breaks: uses("time", "Sleep"),
	},
	{
		name:   "no long file",
		reason: "a file is one concept that reads from top to bottom; past 500 lines it is two",
		about:  func(s source) bool { return !s.test },
		breaks: func(s source) []string {
			if s.lines <= 500 {
				return nil
			}
			return []string{fmt.Sprintf("%d lines", s.lines)}
		},
	},
	{
		name:   "no init",
		reason: "importing a library must do nothing; what has to be set up belongs in a constructor, which can fail",
		about:  func(source) bool { return true },
		breaks: func(s source) []string {
			var found []string
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
					found = append(found, s.at(f, "func init"))
				}
			}
			return found
		},
	},
}

// clock names what reads the clock, and then what waits for it.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTicker", "NewTimer", "Sleep", "Tick"}

func TestHouse(t *testing.T) {
	sources, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 5 {
		t.Fatalf("%d Go files below %s: this is not the checkout", len(sources), root)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, s := range sources {
				if !r.about(s) {
					continue
				}
				for _, what := range r.breaks(s) {
					t.Errorf("%s: %s\nthe rule: %s", s.path, what, r.reason)
				}
			}
		})
	}
}

// load reads every Go file below fsys that go build would, of every module.
func load(fsys fs.FS) ([]source, error) {
	var sources []source
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && skipped(d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".go":
			return nil
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		s := source{path: p, test: strings.HasSuffix(p, "_test.go"), lines: bytes.Count(text, []byte("\n")), set: token.NewFileSet()}
		if s.file, err = parser.ParseFile(s.set, p, text, parser.SkipObjectResolution); err != nil {
			return err
		}
		sources = append(sources, s)
		return nil
	})
	return sources, err
}

// skipped reports whether a folder holds nothing of ours to read.
func skipped(name string) bool {
	return name == "testdata" || name == "vendor" || name == "node_modules" || hasAnyPrefix(name, ".", "_")
}

func (s source) in(dir string) bool { return strings.HasPrefix(s.path, dir+"/") }

func (s source) at(n ast.Node, what string) string {
	return fmt.Sprintf("line %d: %s", s.set.Position(n.Pos()).Line, what)
}

func isRule(s source) bool {
	match, _ := path.Match("core/rule*.go", s.path)
	return match && !s.test
}

// importsBeyond finds the imports that none of allowed accepts.
func importsBeyond(allowed ...func(importPath string) bool) func(source) []string {
	return func(s source) []string {
		var found []string
		for _, i := range s.file.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if !slices.ContainsFunc(allowed, func(ok func(string) bool) bool { return ok(p) }) {
				found = append(found, s.at(i, "imports "+p))
			}
		}
		return found
	}
}

// inStd accepts the standard library, whose paths alone begin without a domain.
func inStd(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".") && first != "C"
}

func under(prefix string) func(string) bool {
	return func(p string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }
}

func among(paths ...string) func(string) bool {
	return func(p string) bool { return slices.Contains(paths, p) }
}

// uses finds the names of a package that a file must not use.
func uses(pkg string, names ...string) func(source) []string {
	return usesBeyond(pkg, func(name string) bool { return !slices.Contains(names, name) })
}

// usesBeyond finds the names of a package that a file uses and allowed does not
// accept. A dot import hides them, so that is found as well.
func usesBeyond(pkg string, allowed func(name string) bool) func(source) []string {
	return func(s source) []string {
		var local, found []string
		for _, i := range s.file.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			switch {
			case p != pkg:
			case i.Name == nil:
				local = append(local, path.Base(pkg))
			case i.Name.Name == ".":
				found = append(found, s.at(i, "imports "+pkg+" with a dot"))
			default:
				local = append(local, i.Name.Name)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(local, x.Name) && !allowed(selector.Sel.Name) {
				found = append(found, s.at(n, "uses "+pkg+"."+selector.Sel.Name))
			}
			return true
		})
		return found
	}
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
