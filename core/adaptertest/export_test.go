package adaptertest

import (
	"slices"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// CaseNames are the names of all cases.
func CaseNames() []string {
	var names []string
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

// CheckGroups is Check, but of groups of cases alone, such as "guard".
func CheckGroups(a Adapter, groups ...string) error {
	return check(a, slices.DeleteFunc(cases(), func(c testCase) bool {
		group, _, _ := strings.Cut(c.name, "/")
		return !slices.Contains(groups, group)
	}))
}

// IdentityRules are the names of what a soak may find.
func IdentityRules() []string {
	var names []string
	for _, r := range soakRules {
		names = append(names, r.name)
	}
	return names
}

// NewBook is the store of a soak.
func NewBook() core.Store { return newBook() }
