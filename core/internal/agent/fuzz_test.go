package agent

import (
	"slices"
	"testing"
)

// Whatever is sent, what is made of it can be shown and stored.
func FuzzParse(f *testing.F) {
	for _, tt := range corpus {
		f.Add(tt.ua, `"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`, "?1", `"Android"`)
	}
	f.Add("", "", "", "")
	f.Add("My\x00Sh\xffop/\x7f (\n", "\x00", "\xff", "\"\\\"")
	f.Add("a/1 (((", `"a";b=?1;c=:Zg==:;d=@1;e=%"%c3"`, "?1;a=(", `("a" "b")`)
	f.Add("My<b>Shop/1", "", "", "")
	f.Add("\u212a/1 (iPhone)", "", "", "")
	f.Add("musical_ly__1", "", "", "")
	f.Add("http://", "", "", "")
	f.Fuzz(func(t *testing.T, ua, brands, mobile, platform string) {
		h := Hints{Brands: brands, Mobile: mobile, Platform: platform}
		got := Parse(ua, h)
		if again := Parse(ua, h); again != got {
			t.Errorf("got %+v, then %+v", got, again)
		}
		for _, s := range []string{got.Browser, got.OS} {
			if len(s) > 64 {
				t.Errorf("%q has %d bytes, want 64 at most", s, len(s))
			}
			for i := range len(s) {
				if s[i] < ' ' || s[i] > '~' || slices.Contains([]byte("<>&\"'\\"), s[i]) {
					t.Fatalf("%q holds %q", s, s[i])
				}
			}
		}
		if !slices.Contains([]string{Desktop, Phone, Tablet, Bot, Tool, Unknown}, got.Kind) {
			t.Errorf("%q is no kind", got.Kind)
		}
		if want := len(got.Browser) + len(" on ") + len(got.OS) + len("iPad"); len(got.Name()) > want {
			t.Errorf("%q is longer than its parts", got.Name())
		}
		if len(ua) > 512 && got != Parse(ua[:512], h) {
			t.Errorf("what stands behind 512 bytes changed %+v", got)
		}
	})
}
