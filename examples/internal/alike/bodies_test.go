package alike

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
)

// ownKinds are the requests whose bodies the app reads itself.
var ownKinds = []string{"password", "active", "totp/confirm", "step-up"}

// carry gives a request a body, odd or not, and says what it is, rightly or not.
func (g *source) carry(r *request, body string) {
	if g.chance(10) {
		body = g.oddBody(body)
	}
	kind := "application/json"
	if g.chance(12) {
		kind = g.contentType()
	}
	if own := slices.Contains(ownKinds, r.kind); !own && g.chance(3) { // for theirs see twoTypes
		kind = among(g, "application/json\napplication/json", "text/plain\napplication/json", "application/json\ntext/plain")
	}
	g.carryAs(r, body, kind)
}

func (g *source) carryAs(r *request, body, kind string) {
	r.body, r.framing = body, "length"
	if g.chance(12) {
		r.framing, r.chunk = "chunked", among(g, 1, 7, 64, 4096, 100_000)
		if len(body) > 10_000 {
			r.chunk = max(r.chunk, 512)
		}
	}
	if kind != "" {
		for _, line := range strings.Split(kind, "\n") {
			r.headers = append(r.headers, among(g, "Content-Type: ", "Content-Type: ", "Content-Type: ", "content-type:", "CONTENT-TYPE:  ")+line)
		}
	}
	if g.chance(4) {
		r.headers = append(r.headers, "Expect: 100-continue")
	}
	if g.chance(3) {
		r.headers = append(r.headers, "Content-Encoding: "+among(g, "gzip", "identity", "br", "deflate", "gzip, gzip"))
		if g.chance(50) {
			var zipped bytes.Buffer
			w := gzip.NewWriter(&zipped)
			w.Write([]byte(r.body)) // of references it holds the names
			w.Close()
			if !strings.Contains(r.body, refOpen) && !strings.ContainsAny(zipped.String(), refOpen+refClose) {
				r.body = zipped.String()
			}
		}
	}
}

func (g *source) contentType() string {
	return among(g,
		"application/json; charset=utf-8", "Application/JSON", "application/json;charset=latin1", `application/json ; x="a;b"`,
		"text/json", "application/problem+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data",
		"", " ", "application/json, text/plain", "application/json;", "application/json; charset", "application/json; charset=\"", `"application/json"`, "application/jsonx", "application/json\x80",
		"application/json; a=1; a=2", "application /json", "application/json; charset=utf-8; charset=utf-8", "application/json\t", "text/plain; charset=utf-8",
		"application/json; "+strings.Repeat("x", 3000)+"=1")
}

// oddBody is what no client of good will sends, made of what one does send.
func (g *source) oddBody(body string) string {
	inside := strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}")
	with := func(member string) string { // before what is there
		if inside == "" {
			return "{" + member + "}"
		}
		return "{" + member + "," + inside + "}"
	}
	padded := func(n int) string { return body + strings.Repeat(" ", max(0, n-len(body))) }
	filled := func(n int) string { return with(`"pad":"` + strings.Repeat("p", n) + `"`) }
	const limit = 64 << 10
	switch g.IntN(34) {
	case 0:
		return ""
	case 1:
		return body + "{}"
	case 2:
		return body + "x"
	case 3:
		return body + "\n\r\t "
	case 4:
		return " \r\n\t" + body
	case 5:
		return "{" + inside + "," + inside + "}"
	case 6:
		return with(`"x":1,"x":2`)
	case 7:
		return with(`"x":{"y":1,"y":1}`)
	case 8:
		return with(`"zzz":{"deep":[1,2.5e3,{"a":null}],"":""}`)
	case 9:
		return with(`"deep":` + strings.Repeat("[", 500) + strings.Repeat("]", 500))
	case 10:
		return with(`"deep":` + strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001))
	case 11:
		return strings.Repeat("[", 20_000)
	case 12:
		return with("\"bad\":\"\xff\xfe\"")
	case 13:
		return with(`"half":"\ud800"`)
	case 14:
		return "\ufeff" + body
	case 15:
		return body[:len(body)/2]
	case 16:
		return padded(limit - 1)
	case 17:
		return padded(limit)
	case 18:
		return padded(limit + 1)
	case 19:
		return filled(limit + 100)
	case 20:
		return filled(200_000)
	case 21:
		return strings.Repeat(" ", 1<<20)
	case 22:
		return strings.ReplaceAll(body, `"`, `'`)
	case 23:
		return "// comment\n" + body
	case 24:
		return with(`"n":NaN`)
	case 25:
		return "[" + body + "]"
	case 26:
		return among(g, "null", "true", "1", `"text"`, "[]", "{", "}", "\x00", "undefined")
	case 27:
		return among(g, `{"username":1}`, `{"refresh_token":[]}`, `{"refresh_token":null}`, `{"token":1}`, `{"user_ids":"alice"}`, `{"active":null}`, `{"keep":{}}`, `{"session_id":true}`)
	case 28:
		return "a=1&b=2"
	case 29:
		return "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n--x--\r\n"
	case 30:
		return strings.ReplaceAll(body, `":`, `" : `)
	case 31:
		return strings.ReplaceAll(body, `"a`, `"\u0061`)
	case 32:
		return strings.ReplaceAll(body, `"username"`, `"Username"`)
	default:
		return with(`"nul":"\u0000"`)
	}
}
