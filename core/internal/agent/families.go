package agent

import (
	"strings"

	"github.com/mileusna/useragent"
)

// Families that code asks about.
const (
	chrome   = "Chrome"
	chromium = "Chromium"
	safari   = "Safari"
	headless = "Headless Chrome"
	webView  = "WebView" // an app that does not say which

	android   = useragent.Android
	chromeOS  = useragent.ChromeOS
	harmonyOS = "HarmonyOS"
	iOS       = useragent.IOS
	kaiOS     = "KaiOS"
	linux     = useragent.Linux
	macOS     = useragent.MacOS
	windows   = useragent.Windows
)

// table indexes families by their words. A line is a family and the words, in
// lower case, that give it away; of two families found the upper one counts.
func table(kind string, lines ...string) map[string]ranked {
	index := make(map[string]ranked)
	for rank, line := range lines {
		family, list, _ := strings.Cut(line, ": ")
		for word := range strings.FieldsSeq(list) {
			index[word] = ranked{name: family, kind: kind, rank: rank}
		}
	}
	return index
}

// join adds the second table to the first.
func join(a, b map[string]ranked) map[string]ranked {
	for word, family := range b {
		a[word] = family
	}
	return a
}

// crawlers fetch pages for others than a person at a screen, wherever their word
// stands. Those that are not here are known by a word that ends in bot, spider or
// crawler, or by the URL that they leave.
var crawlers = table(Bot,
	"Googlebot: googlebot googlebot-image googlebot-news googlebot-video",
	"Google-InspectionTool: google-inspectiontool",
	"GoogleOther: googleother googleother-image googleother-video",
	"AdsBot-Google: adsbot-google adsbot-google-mobile adsbot-google-mobile-apps",
	"Storebot-Google: storebot-google",
	"Mediapartners-Google: mediapartners-google",
	"APIs-Google: apis-google",
	"FeedFetcher-Google: feedfetcher-google",
	"Google-Read-Aloud: google-read-aloud",
	"Lighthouse: chrome-lighthouse",
	"bingbot: bingbot adidxbot bingpreview",
	"GPTBot: gptbot",
	"OAI-SearchBot: oai-searchbot",
	"ChatGPT-User: chatgpt-user",
	"ClaudeBot: claudebot",
	"Claude-User: claude-user",
	"Claude-SearchBot: claude-searchbot",
	"PerplexityBot: perplexitybot",
	"Perplexity-User: perplexity-user",
	"MistralAI-User: mistralai-user",
	"Applebot: applebot applebot-extended",
	"facebookexternalhit: facebookexternalhit facebookcatalog",
	"meta-externalagent: meta-externalagent meta-externalfetcher meta-webindexer",
	"Bytespider: bytespider",
	"CCBot: ccbot",
	"Yahoo Slurp: slurp",
	"Baiduspider: baiduspider baiduspider-render",
	"YandexBot: yandexbot yandeximages yandexmobilebot yandexaccessibilitybot yandexrenderresourcesbot",
	"Sogou: sogou",
	"360Spider: 360spider",
	"Slackbot: slackbot slackbot-linkexpanding slack-imgproxy",
	"archive.org_bot: archive.org_bot",
	"ia_archiver: ia_archiver",
	"SkypeUriPreview: skypeuripreview",
	"Pingdom: pingdom.com_bot pingdomtms",
	"DatadogSynthetics: datadogsynthetics",
	"Snap URL Preview: snapchatads snap-url-preview",
)

// programs are known by the word that a User-Agent begins with.
var programs = join(table(Tool,
	"PowerShell: powershell windowspowershell",
	"curl: curl libcurl",
	"Wget: wget wget2",
	"HTTPie: httpie",
	"Postman: postmanruntime postman",
	"Insomnia: insomnia",
	"Bruno: bruno bruno-runtime brunoruntime",
	"Go-http-client: go-http-client",
	"okhttp: okhttp",
	"Dart: dart",
	"Python: python cpython",
	"python-requests: python-requests",
	"python-httpx: python-httpx",
	"Python-urllib: python-urllib python-urllib3",
	"axios: axios",
	"node-fetch: node-fetch",
	"Node.js: node node.js nodejs undici",
	"Deno: deno",
	"Bun: bun",
	"got: got",
	"SuperAgent: node-superagent superagent",
	"Java: java java-http-client",
	"Apache-HttpClient: apache-httpclient apache-httpasyncclient",
	"Ktor: ktor-client ktor",
	"RestSharp: restsharp",
	"Ruby: ruby",
	"Faraday: faraday",
	"rest-client: rest-client",
	"PHP: php",
	"Guzzle: guzzlehttp",
	"libwww-perl: libwww-perl lwp-trivial",
	"reqwest: reqwest",
	"hyper: hyper",
	"k6: k6",
	"hey: hey",
	"ApacheBench: apachebench",
	"Git: git",
	"aria2: aria2",
	"AWS CLI: aws-cli",
	"AWS SDK: aws-sdk-go aws-sdk-go-v2 aws-sdk-java aws-sdk-js aws-sdk-nodejs boto3 botocore",
	"VS Code REST Client: vscode-restclient",
	"Thunder Client: thunder",
	"kube-probe: kube-probe",
	"Prometheus: prometheus",
	"Grafana: grafana",
	"ELB-HealthChecker: elb-healthchecker",
	"GoogleHC: googlehc",
), table(Bot,
	"WhatsApp: whatsapp", // what fetches previews of links; its app says Mozilla
	"Headless Chrome: headlesschrome",
))

// apps show pages within themselves; their name says more than their engine's.
var apps = table("",
	"WeCom: wxwork",
	"WeChat: micromessenger",
	"Alipay: alipayclient alipay",
	"DingTalk: dingtalk dingtalk-win dingtalk-mac",
	"Lark: lark feishu",
	"Messenger: messengerforios messengerliteforios orca-android",
	"Instagram: instagram",
	"Threads: barcelona",
	"Facebook: fban fb_iab fbios fb4a",
	"Douyin: aweme com.ss.android.ugc.aweme",
	"TikTok: musical_ly trill bytedancewebview com.zhiliaoapp.musically com.ss.android.ugc.trill tiktok",
	"LINE: line",
	"KakaoTalk: kakaotalk",
	"Naver: naver",
	"Snapchat: snapchat",
	"Pinterest: pinterest",
	"X: twitter twitterandroid",
	"LinkedIn: linkedinapp",
	"Telegram: telegram telegram-android",
	"Zalo: zalo",
	"Viber: viber",
	"Discord: discord",
	"Slack: slack slack_ssb",
	"Microsoft Teams: teams teamsmobile-ios teamsmobile-android",
	"Reddit: reddit",
	"Weibo: weibo",
	"RED: xhsdiscover xhsminiapp discover",
	"Bilibili: biliapp bilibili",
	"Taobao: taobao tb",
	"JD: jdapp",
	"Baidu: baiduboxapp",
	"QQ: qq",
	"Google: gsa",
)

// browsers are those that the library does not know, or not by each of their
// words.
var browsers = table("",
	"Mi Browser: miuibrowser",
	"Vivo Browser: vivobrowser",
	"OPPO Browser: heytapbrowser oppobrowser",
	"Huawei Browser: huaweibrowser",
	"Honor Browser: honorbrowser",
	"Meta Quest Browser: oculusbrowser",
	"Samsung Internet: samsungbrowser",
	"UC Browser: ucbrowser ubrowser",
	"QQ Browser: mqqbrowser qqbrowser",
	"Quark: quark",
	"Yandex Browser: yabrowser yowser yasearchbrowser",
	"Whale: whale",
	"Amazon Silk: silk",
	"DuckDuckGo: duckduckgo ddg",
	"Brave: brave",
	"Vivaldi: vivaldi",
	"Opera Mini: opera-mini",
	"Opera: opr opt opios opx operagx",
	"Ecosia: ecosia",
	"Firefox Focus: focus klar",
	"Aloha: alohabrowser",
	"Edge: edg edga edgios edgw",
	"Firefox: fxios",
	"Chrome: crios",
	"Pale Moon: palemoon",
	"SeaMonkey: seamonkey",
	"GNOME Web: epiphany",
)

// libraryNames are the library's browsers; whatever else it calls one is a word
// that it found.
var libraryNames = map[string]string{
	useragent.Chrome:           chrome,
	useragent.HeadlessChrome:   headless,
	useragent.Firefox:          "Firefox",
	useragent.Safari:           safari,
	useragent.MobileSafari:     safari,
	useragent.Edge:             "Edge",
	useragent.Opera:            "Opera",
	useragent.OperaTouch:       "Opera",
	useragent.OperaMini:        "Opera Mini",
	useragent.Vivaldi:          "Vivaldi",
	useragent.InternetExplorer: "Internet Explorer",
	"Android browser":          "Android Browser",
}

// systems are those that the library takes for others. What runs the last ones
// is no desktop, telephone or tablet.
var systems = join(table("",
	"HarmonyOS: harmonyos openharmony",
	"KaiOS: kaios",
	"Windows: xbox",
), table(Unknown,
	"Tizen: tizen",
	"webOS: web0s webos",
	"PlayStation: playstation",
	"tvOS: tvos appletv",
	"watchOS: watchos",
	"Roku: roku",
	"Fuchsia: fuchsia",
))

// otherwise names the system where the library finds none, mostly for apps that
// write User-Agents of their own.
var otherwise = map[string]string{
	"android": android, "iphone": iOS, "ipad": iOS, "ipod": iOS, "ios": iOS, "ipados": iOS,
	"windows": windows, "winnt": windows, "win64": windows, "win32": windows,
	"macintosh": macOS, "macos": macOS, "mac": macOS, "osx": macOS,
	"cros": chromeOS, "linux": linux, "x11": linux, "ubuntu": linux, "fedora": linux,
	"freebsd": "FreeBSD", "openbsd": "OpenBSD", "netbsd": "NetBSD",
}

// engines are the products that say how pages are drawn, or nothing.
var engines = map[string]bool{
	"mozilla": true, "applewebkit": true, "webkit": true, "khtml": true, "gecko": true, "trident": true,
	"goanna": true, "presto": true, "dalvik": true, "opera": true,
	"chrome": true, "chromium": true, "safari": true, "version": true, "mobile": true, "electron": true,
	"firefox": true, "crios": true, "fxios": true, "edgios": true, "cronet": true, "crosswalk": true, "xweb": true,
	"arkweb": true, "tbs": true, "u3": true, "ucbs": true, "t7": true, "jssdk": true, "ubuntu": true, "build": true,
	"android": true, "ios": true, "darwin": true, "cfnetwork": true, "windows": true, "linux": true,
	"mmwebsdk": true, "mmwebid": true, "dmost": true, "webappmanager": true, "html5plus": true, "statusbarheight": true,
	"hmscore": true, "gecko_mobile": true, "app_version": true,
}

// platforms are the values of Sec-CH-UA-Platform.
var platforms = map[string]string{
	"Android": android, "Chrome OS": chromeOS, "Chromium OS": chromeOS, "Fuchsia": "Fuchsia", "iOS": iOS,
	"Linux": linux, "macOS": macOS, "Windows": windows,
}

// brands are the values in Sec-CH-UA; of two the upper one says more.
var brands = brandTable(
	"HeadlessChrome", headless,
	"Opera GX", "Opera",
	"Opera Mini", "Opera Mini",
	"Opera Mobile", "Opera",
	"Opera", "Opera",
	"Microsoft Edge", "Edge",
	"Microsoft Edge WebView2", webView,
	"Brave", "Brave",
	"Brave Browser", "Brave",
	"Vivaldi", "Vivaldi",
	"YaBrowser", "Yandex Browser",
	"Yandex", "Yandex Browser",
	"Samsung Internet", "Samsung Internet",
	"DuckDuckGo", "DuckDuckGo",
	"Whale", "Whale",
	"Oculus Browser", "Meta Quest Browser",
	"Meta Quest Browser", "Meta Quest Browser",
	"HuaweiBrowser", "Huawei Browser",
	"Avast Secure Browser", "Avast Secure Browser",
	"AVG Secure Browser", "AVG Secure Browser",
	"Ecosia", "Ecosia",
	"Google Chrome", chrome,
	"Android WebView", webView,
	"Chromium", chromium,
)

func brandTable(pairs ...string) map[string]ranked {
	index := make(map[string]ranked)
	for i := 0; i+1 < len(pairs); i += 2 {
		index[pairs[i]] = ranked{name: pairs[i+1], rank: i}
	}
	return index
}
