package adaptertest

import (
	"slices"
	"strings"
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
