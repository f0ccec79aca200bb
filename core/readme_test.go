package core

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The README's table of settings names every field that has a default, and what
// a Config without it is settled to.
func TestReadmeDefaults(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Config{
		Store: struct{ Store }{},
		Keys:  []Key{{Secret: []byte("kM2vX9qLw4TzR7bNcY1dHs8gPfJ3aU6e")}},
	}.settle(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z][A-Za-z.]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(string(readme), -1) {
		field, says := row[1], row[2]
		v := reflect.ValueOf(s.config)
		for name := range strings.SplitSeq(field, ".") {
			if v = v.FieldByName(name); !v.IsValid() {
				t.Fatalf("Config has no field %s", field)
			}
		}
		shown[field] = true
		if want := inWords(field, v.Interface()); says != want {
			t.Errorf("%s: the README says %q, and the default is %q", field, says, want)
		}
	}
	apps := []string{"Store", "Authenticate", "Active", "Problem", "Keys", "Secrets", "Prefix", "Audit", "OnMode", "Random"} // the app's own, or functions
	apps = append(apps, "Resolver", "Scorer", "Notify", "Limiter", "Observer")
	off := []string{"Foreign", "AccessCookie", "ReuseEndsAll", "MaxPerClientType", "Cookie.Path", "Cookie.Domain"} // nothing unless it is set
	for _, field := range append(apps, off...) {
		shown[field] = true
	}
	for _, of := range []struct {
		prefix string
		fields reflect.Type
	}{
		{"", reflect.TypeFor[Config]()},
		{"Cookie.", reflect.TypeFor[Cookie]()},
		{"Limits.", reflect.TypeFor[Limits]()},
		{"Risk.", reflect.TypeFor[RiskPolicy]()},
	} {
		for i := range of.fields.NumField() {
			if name := of.prefix + of.fields.Field(i).Name; !slices.Contains([]string{"Cookie", "Limits", "Risk"}, name) && !shown[name] {
				t.Errorf("the README's table has no %s", name)
			}
		}
	}
}

// inWords says a default as the README does.
func inWords(field string, v any) string {
	switch field {
	case "RefreshPolicy":
		return map[any]string{Rotate: "`Rotate`", Sliding: "`Sliding`"}[v]
	case "SessionLimitPolicy":
		return map[any]string{EvictOldest: "`EvictOldest`", EvictIdle: "`EvictIdle`", RefuseNew: "`RefuseNew`"}[v]
	case "Cookie.SameSite":
		return []string{"", "default", "`Lax`", "`Strict`", "`None`"}[reflect.ValueOf(v).Int()]
	case "TokenCacheBytes", "LedgerCacheBytes":
		return fmt.Sprintf("%d MiB", v.(int)>>20)
	case "Risk.StepUp", "Risk.Deny":
		if v == 0 {
			return "never"
		}
	case "RetireAccess":
		if v == time.Duration(0) {
			return "never"
		}
	}
	switch v := v.(type) {
	case time.Duration:
		for _, unit := range []struct {
			name string
			d    time.Duration
		}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
			if n := v / unit.d; v%unit.d == 0 && (n > 0 || unit.d == time.Second) {
				if n != 1 {
					unit.name += "s"
				}
				return fmt.Sprintf("%d %s", n, unit.name)
			}
		}
		return v.String()
	case int:
		digits := strconv.Itoa(v)
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return digits
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case []string:
		if len(v) == 0 {
			return "none"
		}
	case []netip.Prefix:
		if len(v) == 0 {
			return "none"
		}
	case string:
		return "`" + v + "`"
	}
	return fmt.Sprint(v)
}
