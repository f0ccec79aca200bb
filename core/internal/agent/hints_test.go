package agent

import (
	"strings"
	"testing"
)

func TestHints(t *testing.T) {
	const (
		onWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
		onLinux   = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
		onPhone   = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
		inApp     = "Mozilla/5.0 (Linux; Android 14; SM-S928B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.39 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/490.0.0.63.82;]"
		onTV      = "Mozilla/5.0 (Linux; Android 12; BRAVIA 4K VH2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"

		chromeBrands = `"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`
		braveBrands  = `"Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24"`
	)
	plain := Agent{"Chrome", "Windows", Desktop}
	for _, tt := range []struct {
		ua    string
		hints Hints
		want  Agent
		rule  string
	}{
		{onWindows, Hints{chromeBrands, "?0", `"Windows"`}, plain, "hints can agree"},
		{onWindows, Hints{Brands: braveBrands}, Agent{"Brave", "Windows", Desktop}, "a brand goes before the User-Agent"},
		{onWindows, Hints{Brands: `"Chromium";v="131","Not A;Brand";v="8","Microsoft Edge";v="131"`}, Agent{"Edge", "Windows", Desktop}, "wherever it stands in the list"},
		{onWindows, Hints{Brands: `"Chromium";v="130", "Opera";v="115", "Not?A_Brand";v="99"`}, Agent{"Opera", "Windows", Desktop}, "a brand goes before Chromium"},
		{onWindows, Hints{Brands: `"Avast Secure Browser";v="131", "Google Chrome";v="131"`}, Agent{"Avast Secure Browser", "Windows", Desktop}, "and before Chrome"},
		{onWindows, Hints{Brands: `"Chromium";v="131", "Not_A Brand";v="24"`}, Agent{"Chromium", "Windows", Desktop}, "Chromium alone is Chromium"},
		{onWindows + " OPR/115.0.0.0", Hints{Brands: `"Chromium";v="131"`}, Agent{"Opera", "Windows", Desktop}, "but says less than the name of another"},
		{onWindows, Hints{Brands: `"(Not(A:Brand";v="99", "Nobody's \"Brand\" \\";v="1"`}, plain, "unknown brands say nothing"},
		{onWindows, Hints{Brands: `"brave";v="131"`}, plain, "brands are compared exactly"},
		{onWindows, Hints{Brands: `"Brave"`}, Agent{"Brave", "Windows", Desktop}, "versions are not needed"},
		{onWindows, Hints{Brands: `"HeadlessChrome";v="131", "Chromium";v="131"`}, Agent{"Headless Chrome", "Windows", Bot}, "no person drives a headless browser"},
		{onPhone, Hints{Brands: `"Android WebView";v="131", "Chromium";v="131"`}, Agent{"WebView", "Android", Phone}, "an app is not Chrome"},
		{inApp, Hints{Brands: `"Android WebView";v="131", "Chromium";v="131"`}, Agent{"Facebook", "Android", Phone}, "but says more than that it is one"},
		{inApp, Hints{Brands: chromeBrands}, Agent{"Facebook", "Android", Phone}, "and more than its engine"},

		{onLinux, Hints{chromeBrands, "?1", `"Android"`}, Agent{"Chrome", "Android", Phone}, "a telephone that asks for pages as a desktop gets them"},
		{onLinux, Hints{chromeBrands, "?0", `"Android"`}, Agent{"Chrome", "Android", Tablet}, "a tablet that does"},
		{onLinux, Hints{Platform: `"Chromium OS"`}, Agent{"Chrome", "ChromeOS", Desktop}, "a platform goes before the User-Agent"},
		{onLinux, Hints{Platform: ` "macOS";a=1 `}, Agent{"Chrome", "macOS", Desktop}, "with spaces around it and parameters"},
		{onPhone, Hints{Mobile: "?0"}, Agent{"Chrome", "Android", Tablet}, "mobile goes before the User-Agent"},
		{onPhone, Hints{Mobile: "?0;a"}, Agent{"Chrome", "Android", Tablet}, "with parameters"},
		{onTV, Hints{chromeBrands, "?0", `"Android"`}, Agent{"Chrome", "Android", Unknown}, "a television is no tablet"},
		{onLinux, Hints{Platform: `"Fuchsia"`}, Agent{"Chrome", "Fuchsia", Unknown}, "nor is what runs Fuchsia"},
		{onWindows, Hints{Platform: `"Unknown"`}, plain, "Unknown says nothing"},
		{onWindows, Hints{Platform: `"Plan 9"`}, plain, "nor does what has no family"},

		{"", Hints{braveBrands, "?0", `"Linux"`}, Agent{"Brave", "Linux", Desktop}, "hints need no User-Agent"},
		{"", Hints{Mobile: "?1"}, Agent{"", "", Phone}, "not even each other"},
		{"MyShop/3.2", Hints{`"Android WebView";v="131"`, "?1", `"Android"`}, Agent{"MyShop", "Android", Phone}, "an app keeps its name"},
		{"curl/8.11.0", Hints{braveBrands, "?1", `"Android"`}, Agent{"curl", "", Tool}, "a tool has no hints of its own"},
		{"Googlebot/2.1 (+http://www.google.com/bot.html)", Hints{chromeBrands, "?0", `"Windows"`}, Agent{"Googlebot", "", Bot}, "nor has a crawler"},

		{onWindows, Hints{Brands: braveBrands + ","}, plain, "ill-formed: a comma at the end"},
		{onWindows, Hints{Brands: `"Brave";v="131" "Chromium";v="131"`}, plain, "ill-formed: no comma"},
		{onWindows, Hints{Brands: `"Brave";v="131", "Chromium`}, plain, "ill-formed: an open string"},
		{onWindows, Hints{Brands: `"Brave";v="131", "Chromi\um"`}, plain, "ill-formed: an escape of nothing"},
		{onWindows, Hints{Brands: "\"Brave\", \"Chrom\u00efum\""}, plain, "ill-formed: not ASCII"},
		{onWindows, Hints{Brands: "\"Brave\", \"\x00\""}, plain, "ill-formed: a control byte"},
		{onWindows, Hints{Brands: `Brave;v="131"`}, plain, "a token is no brand"},
		{onWindows, Hints{Brands: `"Brave", Chromium`}, plain, "nor are the brands beside it"},
		{onWindows, Hints{Brands: `"Brave", ("Chromium")`}, plain, "or beside an inner list"},
		{onWindows, Hints{Mobile: "1"}, plain, "ill-formed: an integer"},
		{onWindows, Hints{Mobile: "true"}, plain, "ill-formed: a token"},
		{onWindows, Hints{Mobile: "?2"}, plain, "ill-formed: no boolean"},
		{onWindows, Hints{Mobile: "?1, ?1"}, plain, "ill-formed: sent twice"},
		{onWindows, Hints{Mobile: `"?1"`}, plain, "ill-formed: a string"},
		{onWindows, Hints{Platform: "macOS"}, plain, "ill-formed: a token for a platform"},
		{onWindows, Hints{Platform: `"macOS`}, plain, "ill-formed: an open platform"},
		{onWindows, Hints{Platform: `"macOS", "Linux"`}, plain, "ill-formed: two platforms"},
		{onWindows, Hints{Brands: `Brave`, Mobile: "?", Platform: `"macOS"`}, Agent{"Chrome", "macOS", Desktop}, "an ill-formed hint does not spoil the others"},
		{onWindows, Hints{Brands: strings.Repeat(" ", 512-len(braveBrands)) + braveBrands}, Agent{"Brave", "Windows", Desktop}, "a hint of 512 bytes is read"},
		{onWindows, Hints{Brands: strings.Repeat(" ", 513-len(braveBrands)) + braveBrands}, plain, "one of more is not, well-formed or not"},
		{onWindows, Hints{Mobile: "?1" + strings.Repeat(" ", 511)}, plain, "nor is mobile"},
		{onWindows, Hints{Platform: `"macOS"` + strings.Repeat(" ", 506)}, plain, "nor is a platform"},
	} {
		if got := Parse(tt.ua, tt.hints); got != tt.want {
			t.Errorf("%s: %.100s %.100v:\ngot  %+v\nwant %+v", tt.rule, tt.ua, tt.hints, got, tt.want)
		}
	}
}
