package archtest

import (
	"go/format"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

var (
	mdLink    = regexp.MustCompile(`(?m)(?:\]\(<?|^\[[^\]\n]+\]: +)([^)\s>]+)`)
	mdHeading = regexp.MustCompile(`(?m)^#+ +(.*?) *#*$`)
	mdFence   = regexp.MustCompile("(?ms)^ *```([a-z]*)[^\n]*\n(.*?)^ *```")
	mdCode    = regexp.MustCompile("`[^`\n]*`")
	notInSlug = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// A page's links lead to files and headings that exist, and its Go code parses.
func TestDocs(t *testing.T) {
	fsys := os.DirFS(root)
	pages := 0
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && skipped(d.Name()):
			return fs.SkipDir
		case d.IsDir() || path.Ext(p) != ".md":
			return nil
		}
		pages++
		for _, what := range pageFaults(fsys, p) {
			t.Errorf("%s: %s", p, what)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages == 0 {
		t.Errorf("no page below %s", root)
	}
}

// pageFaults tells what is dead on a page.
func pageFaults(fsys fs.FS, page string) []string {
	text, err := fs.ReadFile(fsys, page)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []string
	for _, m := range mdFence.FindAllSubmatch(text, -1) {
		if string(m[1]) == "go" {
			if _, err := format.Source(m[2]); err != nil {
				faults = append(faults, "Go code that does not parse: "+err.Error())
			}
		}
	}
	prose := mdCode.ReplaceAll(mdFence.ReplaceAll(text, nil), nil)
	for _, m := range mdLink.FindAllSubmatch(prose, -1) {
		link := string(m[1])
		if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(link, "#")
		target := page
		if file != "" {
			target = path.Join(path.Dir(page), file)
		}
		linked, err := fs.Stat(fsys, target)
		switch {
		case err != nil:
			faults = append(faults, "dead link: "+link)
		case anchor != "" && !linked.IsDir() && path.Ext(target) == ".md" && !hasHeading(fsys, target, anchor):
			faults = append(faults, "dead link, no such heading: "+link)
		}
	}
	return faults
}

// hasHeading reports whether a page has a heading with that anchor, as GitHub
// makes one: lower case, punctuation dropped, a hyphen for each space.
func hasHeading(fsys fs.FS, page, anchor string) bool {
	text, err := fs.ReadFile(fsys, page)
	if err != nil {
		return false
	}
	for _, m := range mdHeading.FindAllSubmatch(mdFence.ReplaceAll(text, nil), -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(string(m[1])), "")
		if strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}
