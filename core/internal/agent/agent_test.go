package agent

import (
	"strings"
	"testing"
	"unsafe"
)

func TestName(t *testing.T) {
	for _, tt := range []struct {
		agent Agent
		want  string
	}{
		{Agent{"Chrome", "macOS", Desktop}, "Chrome on macOS"},
		{Agent{"Safari", "iOS", Phone}, "Safari on iPhone"},
		{Agent{"Safari", "iOS", Tablet}, "Safari on iPad"},
		{Agent{"MyShop", "iOS", Unknown}, "MyShop on iOS"},
		{Agent{"Samsung Internet", "Android", Tablet}, "Samsung Internet on Android"},
		{Agent{"curl", "", Tool}, "curl"},
		{Agent{"Googlebot", "", Bot}, "Googlebot"},
		{Agent{"", "Android", Phone}, "Android"},
		{Agent{"", "iOS", Phone}, "iPhone"},
		{Agent{"", "", Unknown}, ""},
	} {
		if got := tt.agent.Name(); got != tt.want {
			t.Errorf("%+v: got %q, want %q", tt.agent, got, tt.want)
		}
	}
}

// What nobody's browser sends.
func TestOddUserAgents(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, tt := range []struct {
		ua   string
		want Agent
		rule string
	}{
		{"", Agent{"", "", Unknown}, "nothing says nothing"},
		{" \t ", Agent{"", "", Unknown}, "nor does white space"},
		{"Mozilla/5.0", Agent{"", "", Unknown}, "nor does Mozilla"},
		{"Mozilla/5.0 (", Agent{"", "", Unknown}, "nor an open comment"},
		{"12345", Agent{"", "", Unknown}, "a name begins with a letter"},
		{"5b3a/1.0 (iPhone; iOS 18.1)", Agent{"", "iOS", Phone}, "and without one the system counts"},
		{long + "/1.0", Agent{long[:64], "", Tool}, "a name has 64 bytes at most"},
		{"My\x00Shop/3.2 (iPhone; iOS 18.1)", Agent{"", "iOS", Phone}, "a control byte is in no name"},
		{"My\nShop/3.2", Agent{"", "", Unknown}, "nor is the end of a line"},
		{"My\x7fShop/3.2", Agent{"", "", Unknown}, "nor is DEL"},
		{"My\xffShop/3.2", Agent{"", "", Unknown}, "nor is what is not UTF-8"},
		{"\u5fae\u4fe1/8.0 (iPhone; iOS 18.1)", Agent{"", "iOS", Phone}, "nor is what is not ASCII"},
		{"https://example.com/", Agent{"", "", Bot}, "nor is a URL"},
		{"\u212a/1.0 (iPhone; iOS 18.1)", Agent{"", "iOS", Phone}, "a letter that is shorter in lower case moves nothing"},
		{"My<b>Shop/1.0", Agent{"", "", Unknown}, "markup is in no name"},
		{"<script>/1.0", Agent{"", "", Unknown}, "nor at its start"},
		{"Sch\u00f6nBot/1.0 (+https://bot.example)", Agent{"", "", Bot}, "a bot without a name is a bot"},
		{"ExampleBot/1.0", Agent{"ExampleBot", "", Bot}, "a bot is known by the end of its word"},
		{"Mozilla/5.0 (compatible; Example Spider; +https://spider.example)", Agent{"Example Spider", "", Bot}, "which can be a word of its own"},
		{"Example/1.0 (+https://example.com/why)", Agent{"Example", "", Bot}, "or by the URL that it leaves"},
		{"Mozilla/5.0 (compatible; Example/1.0)", Agent{"Example", "", Bot}, "or because it is compatible and runs on nothing"},
		{"MyShop/3.2 (+https://shop.example; iPhone; iOS 18.1)", Agent{"MyShop", "iOS", Phone}, "but an app on a telephone is none"},
		{"Mozilla/5.0 (Linux; Android 13; CUBOT_X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", Agent{"Chrome", "Android", Phone}, "nor is a telephone of Cubot's"},
		{"Mozilla/5.0 (Linux; Android 13; Line) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", Agent{"Chrome", "Android", Phone}, "a model that is called like an app is no app"},
		{"Mozilla/5.0 (Linux; Android 9; AFTKA) AppleWebKit/537.36 (KHTML, like Gecko) Silk/131.3.1 like Chrome/131.0.6778.81 Safari/537.36", Agent{"Amazon Silk", "Android", Unknown}, "a Fire TV is no tablet"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 WhatsApp/24.23.78", Agent{"WhatsApp", "iOS", Phone}, "a page in WhatsApp is no preview of it"},
		{"My Shop/3.2 (iPad; iPadOS 18.1)", Agent{"My Shop", "iOS", Tablet}, "an app's name may have spaces"},
		{"My Shop v3.2", Agent{"My Shop", "", Tool}, "and ends before its version"},
		{"Acme 2 Go/1.0", Agent{"Acme", "", Tool}, "which is whatever begins with a digit"},
		{"MyShop/3.2 (iPhone; iOS 18.1; Scale/3.00) Line/1.0", Agent{"MyShop", "iOS", Phone}, "the first product is the program"},
		{"MyShop/3.2" + strings.Repeat(" ", 512) + "(iPhone)", Agent{"MyShop", "", Tool}, "what stands behind 512 bytes does not count"},
	} {
		if got := Parse(tt.ua, Hints{}); got != tt.want {
			t.Errorf("%s: %.100q:\ngot  %+v\nwant %+v", tt.rule, tt.ua, got, tt.want)
		}
	}
}

// Some servers use the memory of a request's headers for the next one.
func TestParseKeepsNoMemoryOfItsInput(t *testing.T) {
	for _, text := range []string{"MyShop/3.2 (iPhone; iOS 18.1)", "Mozilla/5.0 (compatible; ExampleBot/1.0)", "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0 Safari/537.36 Example/1.0"} {
		buffer := []byte(text)
		got := Parse(unsafe.String(&buffer[0], len(buffer)), Hints{})
		for i := range buffer {
			buffer[i] = '#'
		}
		if want := Parse(text, Hints{}); got != want {
			t.Errorf("%s: got %+v once its memory was used again, want %+v", text, got, want)
		}
	}
}
