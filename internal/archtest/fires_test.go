package archtest

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Each rule is shown code that breaks it, and code beside it that does not.
func TestRulesFire(t *testing.T) {
	shown := make(map[string]bool)
	for _, tt := range []struct {
		rule string // "" if no rule is broken
		path string
		text string
	}{
		{"core imports", "core/a.go", `package core; import _ "github.com/gin-gonic/gin"`},
		{"core imports", "core/storetest/a.go", `package storetest; import _ "` + module + `/memstore"`},
		{"core imports", "core/a.go", `package core; import _ "github.com/golang-jwt/jwt/v5hacked"`},
		{"core imports", "core/a.go", `package core; import _ "github.com/throttled/throttled/v2/store/memstore"`},
		{"", "core/a.go", `package core; import _ "github.com/throttled/throttled/v2"`},
		{"", "core/a_test.go", `package core; import _ "pgregory.net/rapid"`},
		{"", "core/storetest/a.go", `package storetest; import _ "` + core + `"`},
		{"", "core/a.go", `package core; import (_ "crypto/hmac"; _ "github.com/golang-jwt/jwt/v5"; _ "golang.org/x/sync/singleflight")`},

		{"core imports", "core/a.go", `package core; import _ "github.com/mileusna/useragent"`},
		{"core imports", "core/internal/a/a.go", `package a; import _ "github.com/dunglas/httpsfv"`},
		{"agent imports", "core/internal/agent/a.go", `package agent; import _ "` + core + `"`},
		{"agent imports", "core/internal/agent/a.go", `package agent; import _ "github.com/golang-jwt/jwt/v5"`},
		{"agent imports", "core/internal/agent/a.go", `package agent; import _ "github.com/mileusna/useragent/v2"`},
		{"", "core/internal/agent/a.go", `package agent; import (_ "strings"; _ "github.com/mileusna/useragent"; _ "github.com/dunglas/httpsfv")`},
		{"", "core/a.go", `package core; import _ "` + core + `/internal/agent"`},

		{"core is no server", "core/a.go", `package core; import "net/http"; var m http.ServeMux`},
		{"core is no server", "core/a.go", `package core; import web "net/http"; func f(web.ResponseWriter) {}`},
		{"core is no server", "core/a.go", `package core; import . "net/http"; var m ServeMux`},
		{"", "core/a.go", `package core; import "net/http"; var s, h = http.StatusOK, http.Header{}`},
		{"", "core/adaptertest/a.go", `package adaptertest; import "net/http"; var m http.ServeMux`},

		{"rule imports", "core/rule_a.go", `package core; import _ "context"`},
		{"rule imports", "core/rule.go", `package core; import _ "crypto/rand"`},
		{"rules read no clock", "core/rule_a.go", `package core; import "time"; var t = time.Now()`},
		{"", "core/rule_a_test.go", `package core; import "time"; var t = time.Now()`},
		{"", "core/rule_a.go", `package core; import "time"; var t time.Time`},

		{"memstore imports", "memstore/a.go", `package memstore; import _ "github.com/maypok86/otter/v2"`},
		{"memstore imports", "memstore/a.go", `package memstore; import _ "` + module + `/nethttpauth"`},
		{"stores read no clock", "memstore/a.go", `package memstore; import "time"; var f = time.Now`},
		{"", "memstore/a.go", `package memstore; import "time"; var c = time.NewTimer(1)`},
		{"sealed imports", "core/sealed/a.go", `package sealed; import _ "github.com/golang-jwt/jwt/v5"`},
		{"sealed imports", "core/sealed/a.go", `package sealed; import _ "` + core + `/storetest"`},
		{"stores read no clock", "core/sealed/a.go", `package sealed; import "time"; var n = time.Now`},
		{"", "core/sealed/a.go", `package sealed; import (_ "crypto/hkdf"; _ "` + core + `")`},
		{"nethttpauth imports", "nethttpauth/a.go", `package nethttpauth; import _ "` + module + `/memstore"`},
		{"", "nethttpauth/a_test.go", `package nethttpauth; import _ "` + module + `/memstore"`},

		{"ginauth imports", "ginauth/a.go", `package ginauth; import _ "` + module + `/memstore"`},
		{"ginauth imports", "ginauth/a.go", `package ginauth; import _ "github.com/gin-contrib/cors"`},
		{"", "ginauth/a.go", `package ginauth; import _ "github.com/gin-gonic/gin"; import _ "` + module + `/nethttpauth"`},
		{"fiberauth imports", "fiberauth/a.go", `package fiberauth; import _ "github.com/gofiber/fiber/v2/middleware/adaptor"`},
		{"fiberauth imports", "fiberauth/a.go", `package fiberauth; import _ "` + module + `/nethttpauth"`},
		{"", "fiberauth/a.go", `package fiberauth; import _ "github.com/gofiber/fiber/v2"; import _ "github.com/valyala/fasthttp"`},

		{"redisstore imports", "redisstore/a.go", `package redisstore; import _ "github.com/alicebob/miniredis/v2"`},
		{"redisstore imports", "redisstore/a.go", `package redisstore; import _ "github.com/go-redis/redis_rate/v9"`},
		{"", "redisstore/a.go", `package redisstore; import _ "github.com/go-redis/redis_rate/v10"`},
		{"stores read no clock", "redisstore/a.go", `package redisstore; import "time"; var f = time.Until`},
		{"", "redisstore/a.go", `package redisstore; import _ "github.com/redis/go-redis/v9"`},
		{"", "redisstore/internal/a/a.go", `package a; import _ "github.com/alicebob/miniredis/v2"`},

		{"sqlstore imports", "sqlstore/a.go", `package sqlstore; import _ "github.com/jackc/pgx/v5/stdlib"`},
		{"stores read no clock", "sqlstore/a.go", `package sqlstore; import "time"; var f = time.Now`},
		{"", "sqlstore/migrate/a.go", `package migrate; import _ "github.com/pressly/goose/v3"`},

		{"geoip imports", "geoip/a.go", `package geoip; import _ "github.com/maxmind/mmdbwriter"`},
		{"geoip imports", "geoip/a.go", `package geoip; import _ "` + module + `/memstore"`},
		{"geoip imports", "geoip/a.go", `package geoip; import _ "` + core + `/storetest"`},
		{"", "geoip/a_test.go", `package geoip; import _ "github.com/maxmind/mmdbwriter"`},
		{"", "geoip/a.go", `package geoip; import (_ "net/netip"; _ "` + core + `"; _ "github.com/oschwald/maxminddb-golang/v2")`},

		{"promauth imports", "promauth/a.go", `package promauth; import _ "github.com/prometheus/client_golang/prometheus/promhttp"`},
		{"promauth imports", "promauth/a.go", `package promauth; import _ "` + module + `/memstore"`},
		{"metrics read no clock", "promauth/a.go", `package promauth; import "time"; var f = time.Since`},
		{"", "promauth/a.go", `package promauth; import _ "github.com/prometheus/client_golang/prometheus"; import _ "` + module + `/internal/words"`},
		{"", "promauth/a_test.go", `package promauth; import _ "github.com/prometheus/client_golang/prometheus/promhttp"`},
		{"otelauth imports", "otelauth/a.go", `package otelauth; import _ "go.opentelemetry.io/otel/sdk/metric"`},
		{"otelauth imports", "otelauth/a.go", `package otelauth; import _ "go.opentelemetry.io/otel"`},
		{"metrics read no clock", "otelauth/a.go", `package otelauth; import "time"; var f = time.Now`},
		{"", "otelauth/a.go", `package otelauth; import _ "go.opentelemetry.io/otel/metric"; import _ "go.opentelemetry.io/otel/attribute"`},

		{"no sleeping", "examples/a/main.go", `package main; import clock "time"; func f() { clock.Sleep(1) }`},
		{"no sleeping", "anywhere/a_test.go", `package a; import clock "time"; var f = clock.Sleep`},
		{"no long file", "core/a.go", "package core\n" + strings.Repeat("\n", 500)},
		{"", "core/a_test.go", "package core\n" + strings.Repeat("\n", 500)},
		{"", "core/a.go", "package core\n" + strings.Repeat("\n", 499)},
		{"no init", "core/a.go", `package core; func init() {}`},
		{"", "core/a.go", `package core; type T struct{}; func (T) init() {}`},

		{"", "core/testdata/a.go", `package a; func init() {}`},
	} {
		shown[tt.rule] = true
		sources, err := load(fstest.MapFS{tt.path: {Data: []byte(tt.text)}})
		if err != nil {
			t.Fatal(err)
		}
		var broken, want []string
		for _, s := range sources {
			for _, r := range rules {
				if r.about(s) && len(r.breaks(s)) > 0 {
					broken = append(broken, r.name)
				}
			}
		}
		if tt.rule != "" {
			want = []string{tt.rule}
		}
		if !slices.Equal(broken, want) {
			t.Errorf("%s: %.120s\nbreaks %q, want %q", tt.path, tt.text, broken, want)
		}
	}
	for _, r := range rules {
		if !shown[r.name] {
			t.Errorf("no code above breaks the rule %q", r.name)
		}
	}
}

func TestDocsFire(t *testing.T) {
	for _, tt := range []struct {
		page   string
		faults int
	}{
		{"[a](b.md) [c](docs/c.md#two-words-here) [d](docs) [e](#top) [f](https://example.com/nowhere)\n# Top\n", 0},
		{"[a](a.md)", 1},
		{"[a](docs/c.md#one)", 1},
		{"[a](#bottom)\n# Top\n", 1},
		{"[a]\n\n[a]: a.md\n[b]: b.md\n", 1},
		{"`[a](a.md)`\n```\n[a](a.md)\n```\n", 0},
		{"```go\nauth, err := core.New(core.Config{})\n```\n", 0},
		{"```go\nauth, err := core.New(core.Config{\n```\n", 1},
		{"```sh\nif (\n```\n", 0},
	} {
		fsys := fstest.MapFS{
			"README.md": {Data: []byte(tt.page)},
			"b.md":      {Data: []byte("b")},
			"docs/c.md": {Data: []byte("```\n# One\n```\n## Two words, here\n")},
		}
		if got := pageFaults(fsys, "README.md"); len(got) != tt.faults {
			t.Errorf("%q: got %q, want %d faults", tt.page, got, tt.faults)
		}
	}
}
