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

// role is what a word of a User-Agent can stand for.
type role int

const (
	crawler   role = iota // fetches pages for others than a person at a screen, wherever its word stands
	program               // a User-Agent begins with its word, or with Mozilla and a tool's product follows
	app                   // shows pages within itself; its name says more than its engine's
	browser               // one that the library does not know, or not by each of its words
	system                // one that the library takes for another
	otherwise             // a system, where the library finds none: mostly in what apps write
	engine                // how pages are drawn, or nothing
	roles
)

// ranked is a family in a role. Of two the one of lower rank counts.
type ranked struct {
	name string
	kind string
	as   role
	rank int
}

// vocabulary holds the words, in lower case, that give families away.
var vocabulary = index(crawlers, tools, bots, apps, browsers, systems, televisions, otherSystems, engines)

// group is families of one role and kind. A line is a family and its words; of
// two families found the upper one counts.
type group struct {
	as    role
	kind  string
	lines []string
}

func index(groups ...group) map[string][]ranked {
	index := make(map[string][]ranked)
	for _, g := range groups {
		for rank, line := range g.lines {
			family, words, _ := strings.Cut(line, ": ")
			for word := range strings.FieldsSeq(words) {
				index[word] = append(index[word], ranked{name: family, kind: g.kind, as: g.as, rank: rank})
			}
		}
	}
	return index
}

// Crawlers that are not here are known by a word that ends in bot, spider or
// crawler, or by the URL that they leave.
var crawlers = group{crawler, Bot, []string{
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
	"meta-externalagent: meta-externalagent meta-externalfetcher meta-externalads meta-webindexer",
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
	"Playwright: playwright",
	"Puppeteer: puppeteer",
}}

var tools = group{program, Tool, []string{
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
}}

var bots = group{program, Bot, []string{
	"WhatsApp: whatsapp", // fetches previews of links
}}

var apps = group{app, "", []string{
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
	"WhatsApp: whatsapp",
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
}}

var browsers = group{browser, "", []string{
	"Mi Browser: miuibrowser",
	"Vivo Browser: vivobrowser",
	"OPPO Browser: heytapbrowser oppobrowser",
	"Huawei Browser: huaweibrowser",
	"Honor Browser: honorbrowser",
	"Meta Quest Browser: oculusbrowser",
	"UC Browser: ucbrowser ubrowser",
	"QQ Browser: mqqbrowser qqbrowser",
	"Quark: quark",
	"Yandex Browser: yabrowser yowser yasearchbrowser",
	"Whale: whale",
	"Amazon Silk: silk",
	"DuckDuckGo: duckduckgo ddg",
	"Brave: brave",
	"Opera: opx operagx",
	"Ecosia: ecosia",
	"Firefox Focus: focus klar",
	"Aloha: alohabrowser",
	"Edge: edgw",
	"Pale Moon: palemoon",
	"SeaMonkey: seamonkey",
	"GNOME Web: epiphany",
}}

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
	useragent.SamsungBrowser:   "Samsung Internet",
	useragent.InternetExplorer: "Internet Explorer",
	"Android browser":          "Android Browser",
}

var systems = group{system, "", []string{
	"HarmonyOS: harmonyos openharmony",
	"KaiOS: kaios",
	"Windows: xbox",
}}

// televisions, and what else is no desktop, telephone or tablet.
var televisions = group{system, Unknown, []string{
	"Tizen: tizen",
	"webOS: web0s webos",
	"PlayStation: playstation",
	"tvOS: tvos appletv",
	"watchOS: watchos",
	"Roku: roku",
	"Fuchsia: fuchsia",
}}

var otherSystems = group{otherwise, "", []string{
	"iOS: iphone ipad ipod ios ipados",
	"Android: android",
	"Windows: windows winnt win64 win32",
	"macOS: macintosh macos mac osx",
	"ChromeOS: cros",
	"FreeBSD: freebsd",
	"OpenBSD: openbsd",
	"NetBSD: netbsd",
	"Linux: linux ubuntu fedora x11",
}}

var engines = group{engine, "", []string{
	"an engine: mozilla applewebkit webkit khtml gecko trident goanna presto dalvik",
	"an engine: opera chrome chromium safari version mobile electron firefox crios",
	"an engine: fxios edgios cronet crosswalk xweb arkweb tbs u3 ucbs",
	"an engine: t7 jssdk ubuntu build android ios darwin cfnetwork windows",
	"an engine: linux mmwebsdk mmwebid dmost webappmanager html5plus statusbarheight hmscore gecko_mobile",
	"an engine: app_version",
}}

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
