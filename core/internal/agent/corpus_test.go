package agent

import (
	"regexp"
	"strings"
	"testing"
)

// corpus is User-Agents as they are sent, and what sent them.
var corpus = []struct {
	ua   string
	want Agent
	says *Agent // what Parse makes of it, where that is wrong
	why  string // it cannot be told
}{
	// Desktops.
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", want: Agent{"Chrome", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", want: Agent{"Chrome", "macOS", "desktop"}},
	{ua: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", want: Agent{"Chrome", "Linux", "desktop"}},
	{ua: "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", want: Agent{"Chrome", "ChromeOS", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", want: Agent{"Edge", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0", want: Agent{"Opera", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 YaBrowser/24.12.0.0 Safari/537.36", want: Agent{"Yandex Browser", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Whale/4.29.282.14 Safari/537.36", want: Agent{"Whale", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15", want: Agent{"Safari", "macOS", "desktop"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15 Ddg/18.3", want: Agent{"DuckDuckGo", "macOS", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0", want: Agent{"Firefox", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", want: Agent{"Firefox", "Linux", "desktop"}},
	{ua: "Mozilla/5.0 (X11; OpenBSD amd64; rv:128.0) Gecko/20100101 Firefox/128.0", want: Agent{"Firefox", "OpenBSD", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", want: Agent{"Internet Explorer", "Windows", "desktop"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.41.98 Chrome/130.0.6723.137 Electron/33.2.1 Safari/537.36 Sonoma/1.0", want: Agent{"Slack", "macOS", "desktop"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Safari/537.36 NetType/WIFI MicroMessenger/7.0.20.1781(0x6700143B) WindowsWechat(0x63090c11) XWEB/11581 Flue", want: Agent{"WeChat", "Windows", "desktop"}},

	// Telephones.
	{ua: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", want: Agent{"Chrome", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Mobile/15E148 Safari/604.1", want: Agent{"Safari", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", want: Agent{"Chrome", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/133.0 Mobile/15E148 Safari/605.1.15", want: Agent{"Firefox", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/131.0.2903.68 Mobile/15E148 Safari/605.1.15", want: Agent{"Edge", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/344.0.695551749 Mobile/15E148 Safari/604.1", want: Agent{"Google", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36 EdgA/131.0.0.0", want: Agent{"Edge", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0", want: Agent{"Opera", "Android", "phone"}},
	{ua: "Opera/9.80 (Android; Opera Mini/84.0.2254/191.303; U; en) Presto/2.12.423 Version/12.16", want: Agent{"Opera Mini", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36", want: Agent{"Samsung Internet", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0", want: Agent{"Firefox", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 12) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", want: Agent{"DuckDuckGo", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; U; Android 14; zh-cn; 23127PN0CC Build/UKQ1.230804.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/115.0.5790.168 Mobile Safari/537.36 XiaoMi/MiuiBrowser/18.7.41108", want: Agent{"Mi Browser", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 14; V2324A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/87.0.4280.141 Mobile Safari/537.36 VivoBrowser/20.0.10.0", want: Agent{"Vivo Browser", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; U; Android 14; zh-cn; PJD110 Build/UKQ1.230924.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/115.0.5790.168 Mobile Safari/537.36 HeyTapBrowser/40.8.10.1", want: Agent{"OPPO Browser", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 12; HarmonyOS; ALN-AL00; HMSCore 6.14.0.302) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.8.301 Mobile Safari/537.36", want: Agent{"Huawei Browser", "HarmonyOS", "phone"}},
	{ua: "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.0.0 Safari/537.36 ArkWeb/4.1.6.1 Mobile HuaweiBrowser/5.1.3.301", want: Agent{"Huawei Browser", "HarmonyOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; U; Android 13; en-US; RMX3686 Build/TP1A.220905.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.7.8.1314 Mobile Safari/537.36", want: Agent{"UC Browser", "Android", "phone"}},

	// Tablets.
	{ua: "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", want: Agent{"Chrome", "iOS", "tablet"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131 Version/11.1.1 Safari/605.1.15", want: Agent{"Chrome", "iOS", "tablet"}},
	{ua: "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Safari/537.36", want: Agent{"Samsung Internet", "Android", "tablet"}},
	{ua: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", want: Agent{"Chrome", "Android", "tablet"}},
	{ua: "Mozilla/5.0 (Android 13; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0", want: Agent{"Firefox", "Android", "tablet"}},
	{ua: "Mozilla/5.0 (Linux; Android 9; KFONWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/131.3.1 like Chrome/131.0.6778.81 Safari/537.36", want: Agent{"Amazon Silk", "Android", "tablet"}},
	{
		ua:   "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
		want: Agent{"Safari", "iOS", "tablet"}, says: &Agent{"Safari", "macOS", "desktop"},
		why: "an iPad asks for pages as a Mac does, and Safari sends no hints",
	},
	{
		ua:   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
		want: Agent{"Chrome", "Android", "tablet"}, says: &Agent{"Chrome", "Linux", "desktop"},
		why: "so does a large Android tablet, as Linux",
	},

	// Apps that show pages, and apps that call an API.
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B83 [FBAN/FBIOS;FBAV/490.0.0.40.107;FBBV/671290398;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/18.1;FBSS/3;FBID/phone;FBLC/de_DE;FBOP/5;FBRV/673361010]", want: Agent{"Facebook", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 14; SM-S928B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.39 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/490.0.0.63.82;]", want: Agent{"Facebook", "Android", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240905.003; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.39 Mobile Safari/537.36 [FB_IAB/Orca-Android;FBAV/485.0.0.64.72;]", want: Agent{"Messenger", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B91 Instagram 358.0.2.25.89 (iPhone16,1; iOS 18_1_1; de_DE; de; scale=3.00; 1179x2556; 665532384)", want: Agent{"Instagram", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 13; SM-G781U Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/137.0.7151.88 Mobile Safari/537.36 Barcelona 359.2.0.67.109 Android (33/13; 480dpi; 1080x2168; samsung; SM-G781U; r8q; qcom; en_US)", want: Agent{"Threads", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 musical_ly_36.8.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/GB BytedanceWebview/d8a21c6", want: Agent{"TikTok", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/14.19.1", want: Agent{"LINE", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 16_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 KAKAOTALK 10.3.1", want: Agent{"KakaoTalk", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 13; SM-X706N Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/102.0.5005.189 Whale/1.0.0.0 Crosswalk/27.102.0.21 Safari/537.36 NAVER(inapp; search; 1010; 11.24.6)", want: Agent{"Naver", "Android", "tablet"}},
	{ua: "Mozilla/5.0 (Linux; Android 14; 2201122C Build/UKQ1.230804.001; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.188 Mobile Safari/537.36 XWEB/1260117 MMWEBSDK/20240802 MMWEBID/3456 MicroMessenger/8.0.51.2720(0x28003356) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64", want: Agent{"WeChat", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 NebulaSDK/1.8.100112 Nebula PSDType(1) AlipayDefined(nt:WIFI,ws:390|780|3.0) AliApp(AP/10.6.60.6000) AlipayClient/10.6.60.6000 Language/zh-Hans", want: Agent{"Alipay", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; U; Android 13; zh-CN; M2102K1C Build/TKQ1.220829.002) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.58 UWS/5.12.3.0 Mobile Safari/537.36 AliApp(DingTalk/7.6.15) com.alibaba.android.rimet/37651523 Channel/212200 language/zh-CN", want: Agent{"DingTalk", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/22B83 Twitter for iPhone/10.68", want: Agent{"X", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [LinkedInApp]/9.30.2164", want: Agent{"LinkedIn", "iOS", "phone"}},
	{ua: "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240905.003; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.39 Mobile Safari/537.36", want: Agent{"WebView", "Android", "phone"}},
	{ua: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", want: Agent{"WebView", "iOS", "phone"}},
	{ua: "MyShop/3.2 (iPhone; iOS 18.1)", want: Agent{"MyShop", "iOS", "phone"}},
	{ua: "MyShop/3.2 (com.example.shop; build:7; iOS 18.1.0) Alamofire/5.9.1", want: Agent{"MyShop", "iOS", "phone"}},
	{ua: "MyShop/3.2 (Android 14; Pixel 8) okhttp/4.12.0", want: Agent{"MyShop", "Android", "phone"}},
	{ua: "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A.240905.003)", want: Agent{"", "Android", "phone"}},
	{
		ua:   "MyShop/7 CFNetwork/1568.200.51 Darwin/24.1.0",
		want: Agent{"MyShop", "iOS", "phone"}, says: &Agent{"MyShop", "", "unknown"},
		why: "Darwin is in iPhones, iPads and Macs",
	},

	// Bots.
	{ua: "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", want: Agent{"Googlebot", "", "bot"}},
	{ua: "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.6778.69 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", want: Agent{"Googlebot", "", "bot"}},
	{ua: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36", want: Agent{"bingbot", "", "bot"}},
	{ua: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", want: Agent{"GPTBot", "", "bot"}},
	{ua: "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", want: Agent{"ClaudeBot", "", "bot"}},
	{ua: "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", want: Agent{"facebookexternalhit", "", "bot"}},
	{ua: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)", want: Agent{"Applebot", "", "bot"}},
	{ua: "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", want: Agent{"AhrefsBot", "", "bot"}},
	{ua: "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", want: Agent{"Slackbot", "", "bot"}},
	{ua: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36", want: Agent{"Headless Chrome", "Linux", "bot"}},
	{ua: "WhatsApp/2.24.23.78 A", want: Agent{"WhatsApp", "", "bot"}},
	{
		ua:   "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/106.0.0.0 Safari/537.36 Hardenize",
		want: Agent{"Hardenize", "", "bot"}, says: &Agent{"Chrome", "Windows", "desktop"},
		why: "no word in it is what bots call themselves, and it leaves no URL",
	},

	// Tools.
	{ua: "curl/8.11.0", want: Agent{"curl", "", "tool"}},
	{ua: "Wget/1.24.5", want: Agent{"Wget", "", "tool"}},
	{ua: "Go-http-client/2.0", want: Agent{"Go-http-client", "", "tool"}},
	{ua: "okhttp/4.12.0", want: Agent{"okhttp", "", "tool"}},
	{ua: "python-requests/2.32.3", want: Agent{"python-requests", "", "tool"}},
	{ua: "PostmanRuntime/7.43.0", want: Agent{"Postman", "", "tool"}},
	{ua: "Dart/3.5 (dart:io)", want: Agent{"Dart", "", "tool"}},
	{ua: "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)", want: Agent{"node-fetch", "", "tool"}},
	{ua: "Apache-HttpClient/4.5.14 (Java/17.0.13)", want: Agent{"Apache-HttpClient", "", "tool"}},
	{ua: "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391", want: Agent{"PowerShell", "Windows", "tool"}},
	{ua: "k6/0.55.0 (https://k6.io/)", want: Agent{"k6", "", "tool"}},
	{ua: "acme-sync/1.2", want: Agent{"acme-sync", "", "tool"}},

	// What is none of them.
	{ua: "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0.5359.211 Safari/537.36 WebAppManager", want: Agent{"Chrome", "webOS", "unknown"}},
	{ua: "Mozilla/5.0 (SMART-TV; LINUX; Tizen 8.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/6.0 Chrome/108.0.5359.1 TV Safari/537.36", want: Agent{"Samsung Internet", "Tizen", "unknown"}},
	{ua: "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", want: Agent{"Safari", "PlayStation", "unknown"}},
	{ua: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", want: Agent{"Edge", "Windows", "unknown"}},
	{ua: "Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 (KHTML, like Gecko) OculusBrowser/36.2.0.15.30 Chrome/130.0.6723.102 VR Safari/537.36", want: Agent{"Meta Quest Browser", "Linux", "unknown"}},
	{ua: "MyShop/3.2 (Apple Watch; watchOS 11.1)", want: Agent{"MyShop", "watchOS", "unknown"}},
}

func TestCorpus(t *testing.T) {
	right := 0
	for _, tt := range corpus {
		want := tt.want
		if tt.says != nil {
			if want = *tt.says; want == tt.want || tt.why == "" {
				t.Errorf("listed as wrong, but right or without a reason: %s", tt.ua)
			}
		} else {
			right++
		}
		if got := Parse(tt.ua, Hints{}); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.ua, got, want)
		}
	}
	if right*36 < len(corpus)*33 {
		t.Errorf("%d of %d are right, fewer than 33 of 36", right, len(corpus))
	}
}

var version = regexp.MustCompile(`[/ ._:][0-9]+`)

// An update must not make another device of the one that was known.
func TestVersionsNeverMatter(t *testing.T) {
	for _, change := range []func(digit rune) string{
		func(digit rune) string { return string('1' + (digit-'0'+6)%9) },
		func(rune) string { return "1" },
		func(digit rune) string { return string(digit) + "7" },
	} {
		for _, tt := range corpus {
			ua := version.ReplaceAllStringFunc(strings.ReplaceAll(tt.ua, "x86_64", "ARCH"), func(v string) string {
				b := strings.Builder{}
				b.WriteByte(v[0])
				for _, digit := range v[1:] {
					b.WriteString(change(digit))
				}
				return b.String()
			})
			if got, want := Parse(strings.ReplaceAll(ua, "ARCH", "x86_64"), Hints{}), Parse(tt.ua, Hints{}); got != want {
				t.Errorf("%s:\ngot  %+v\nwant %+v, as of %s", ua, got, want, tt.ua)
			}
		}
	}
}
