package core

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// kinds of claims, by their values.
var (
	textClaims   = []string{"iss", "aud", "sub", "jti", "sid", "did", "dtp", "ct", "scope"}
	numberClaims = []string{"iat", "exp", "auth_time", "ser"}
	listClaims   = []string{"roles", "amr"}
	ourClaims    = slices.Concat(textClaims, numberClaims, listClaims)
	neededClaims = []string{"iss", "aud", "sub", "jti", "sid", "iat", "exp", "auth_time", "ser"}
)

// claiming returns a token of the key's with another payload.
func (f *forger) claiming(list []member) string { return f.signed(object(f.header()), object(list)) }

// saying returns a token of the key's with another value for a claim.
func (f *forger) saying(name, value string) string { return f.claiming(put(f.members(), name, value)) }

// otherValue returns a value that a claim may have, and that is worth having.
func (f *forger) otherValue(name string) string {
	switch {
	case name == "jti" || name == "sid":
		return quoted(tokenID(byte(f.rnd.Uint32())).String())
	case slices.Contains(numberClaims, name):
		return "9999999999"
	case slices.Contains(listClaims, name):
		return `["root"]`
	}
	return `"root"`
}

// payloadGenerators make tokens that the key signed and whose header is good.
var payloadGenerators = []generator{
	{name: "a claim twice, escaped or not", weight: 2, make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, ourClaims...))]
		name := m.name
		if f.below(2) == 0 {
			name = f.escaped(name)
		}
		return f.claiming(f.with(list, name, draw(f, m.value, f.otherValue(m.name)))), errTokenPayload
	}},
	{name: "a claim in another case, beside ours or in its place", weight: 2, make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, ourClaims...))]
		other := f.recased(m.name)
		switch f.below(4) {
		case 0: // _ and - are no case, but as near
			at := f.rnd.IntN(len(m.name) + 1)
			other = m.name[:at] + draw(f, "_", "-") + m.name[at:]
		case 1:
			return f.claiming(rename(list, m.name, other)), errTokenClaim
		}
		return f.claiming(f.with(list, other, draw(f, m.value, f.otherValue(m.name), "null"))), errTokenClaim
	}},
	{name: "a claim with its name escaped, and no other", make: func(f *forger) (string, error) {
		name := draw(f, ourClaims...)
		return f.claiming(rename(f.members(), name, f.escaped(name))), errTokenClaim
	}},
	{name: "a claim missing", make: func(f *forger) (string, error) {
		if f.below(5) == 0 { // and only inside another
			name := draw(f, neededClaims...)
			list := f.members()
			return f.claiming(append(drop(list, name), member{"zz", object([]member{list[index(list, name)]})})), errTokenClaim
		}
		return f.claiming(drop(f.members(), draw(f, neededClaims...))), errTokenClaim
	}},
	{name: "a text claim that is no text", make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, textClaims...))]
		return f.saying(m.name, draw(f, "null", "true", "false", "0", "1", "1.5", "[]", "{}", "["+m.value+"]", "["+m.value+","+m.value+"]", `{"`+m.name+`":`+m.value+"}", `""`)), errTokenClaim
	}},
	{name: "a number claim that is no number", make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, numberClaims...))]
		return f.saying(m.name, draw(f, "null", "true", "false", `""`, `"`+m.value+`"`, "[]", "["+m.value+"]", "{}", `{"`+m.name+`":`+m.value+"}", `"NaN"`, `"Infinity"`)), errTokenClaim
	}},
	{name: "a list claim that is no list of text", make: func(f *forger) (string, error) {
		name := draw(f, listClaims...)
		return f.saying(name, draw(f, "null", "true", "0", `""`, `"admin"`, "[]", "{}", `{"0":"admin"}`, `[""]`, "[1]", "[null]", `[["admin"]]`, `["admin",""]`, `["admin",1]`, `["admin",{}]`, `["admin",null]`)), errTokenClaim
	}},
	{name: "a number that is no whole number in range", weight: 2, make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, numberClaims...))]
		v := m.value
		return f.saying(m.name, draw(
			f, "-"+v, "-1", "0", "-0", v+".0", v+".5", v+"e0", v+"E+0", v[:1]+"."+v[1:]+"e"+strconv.Itoa(len(v)-1), "1e400", "-1e400", "1e18", "1e-400", "0e0",
			"9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "18446744073709551616"+v, strings.Repeat("9", 1+19+f.rnd.IntN(400)), v+strings.Repeat("0", 400),
		)), errTokenClaim
	}},
	{name: "a number that is none in JSON", make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, numberClaims...))]
		v := m.value
		return f.saying(m.name, draw(f, "NaN", "Infinity", "-Infinity", "+"+v, "0"+v, "00", "0x"+v, v+".", "."+v, v+"n", v+"e", v[:1]+"_"+v[1:], v+" "+v, v+"f", "1,000", "\u0661", "--1", "(1)")), errTokenPayload
	}},
	{name: "exp has passed", make: func(f *forger) (string, error) {
		f.leeway = draw(f, leeways...)
		late := draw(f, 0, 1, 59, 60, 61, f.rnd.Int64N(1e9))
		return f.saying("exp", strconv.FormatInt(tokenTime.Unix()-int64(f.leeway/time.Second)-late, 10)), ErrTokenExpired
	}},
	{name: "exp beyond the year 9999", make: func(f *forger) (string, error) {
		return f.saying("exp", strconv.FormatUint(secondsMax+1+draw(f, 0, 1, f.rnd.Uint64N(1e15), f.rnd.Uint64N(1<<63)), 10)), errTokenClaim
	}},
	{name: "iat in the future", make: func(f *forger) (string, error) {
		f.leeway = draw(f, leeways...)
		early := draw(f, 1, 2, 60, 61, f.rnd.Int64N(1e9)+1, secondsMax-tokenTime.Unix()-60)
		return f.saying("iat", strconv.FormatInt(tokenTime.Unix()+int64(f.leeway/time.Second)+early, 10)), errTokenFuture
	}},
	{name: "nbf, and other names that are taken", make: func(f *forger) (string, error) {
		name := draw(f, "nbf", "acr", "azp", "nonce", "cnf", "client_id", "act", "may_act", "typ", "cty", "crit", "alg", "kid", "jku", "jwk", "x5u", "x5c", "x5t", "b64", "zip")
		if f.below(2) == 0 {
			name = f.recased(name)
		}
		return f.claiming(f.with(f.members(), name, draw(f, "1", "9999999999", "null", `"x"`, "{}", strconv.FormatInt(tokenTime.Unix(), 10)))), errTokenClaim
	}},
	{name: "iss of another", make: func(f *forger) (string, error) {
		good := f.claims.Issuer
		return f.saying("iss", quoted(draw(
			f, good+"/", good+" ", " "+good, strings.ToUpper(good), strings.Replace(good, "https", "http", 1), good+".evil.example", "https://evil.example", good+"@evil.example",
			good+"#", good+"?", good[:len(good)-1], good+"\u200b", strings.Replace(good, "e", "\u0435", 1), f.claims.Audience, "*", good+","+good,
		))), errTokenIssuer
	}},
	{name: "aud of another", make: func(f *forger) (string, error) {
		good := f.claims.Audience
		return f.saying("aud", quoted(draw(f, good+"2", good+" ", " "+good, strings.ToUpper(good), good[:len(good)-1], "*", good+","+good, good+" other", f.claims.Issuer, "a\u200bpi", "\u0430pi", `["`+good+`"]`))), errTokenAudience
	}},
	{name: "aud as a list", make: func(f *forger) (string, error) {
		good := quoted(f.claims.Audience)
		return f.saying("aud", draw(f, "["+good+"]", "["+good+","+good+"]", `["other",`+good+"]", "["+good+`,"other"]`, "["+good+",null]", "[["+good+"]]", `{"0":`+good+"}", "[]", `["*"]`, `[""]`)), errTokenClaim
	}},
	{name: "sub that is no user id", make: func(f *forger) (string, error) {
		good := f.claims.Subject
		return f.saying("sub", draw(
			f, strconv.Itoa(f.rnd.Int()), "-1", `""`, quoted(good+"\x00"), quoted("a\n"+good), quoted(good+"\r\n"), quoted("\x7f"+good), quoted("\u0085"+good), quoted(good+"\x1b[2J"), quoted("\t"+good),
			quoted(good+strings.Repeat("u", userIDMax)), quoted(strings.Repeat("é", userIDMax/2+1)),
		)), errTokenClaim
	}},
	{name: "jti or sid in another spelling, or none", make: func(f *forger) (string, error) {
		list := f.members()
		m := list[index(list, draw(f, "jti", "sid"))]
		v := strings.Trim(m.value, `"`)
		at := f.rnd.IntN(len(v))
		const base32 = "abcdefghijklmnopqrstuvwxyz234567"
		last := strings.IndexByte(base32, v[len(v)-1])
		return f.saying(m.name, quoted(draw(
			f, strings.ToUpper(v), v[:at]+"1"+v[at+1:], v[:at]+"\n"+v[at:], v[:at]+"\r\n"+v[at:], v[:at]+"-"+v[at:], v[:at]+v[at+1:], v+"a", v+"======", v+"=", " "+v, v+" ",
			v[:len(v)-1]+string(base32[last^1]), v[:len(v)-1]+string(base32[last^3]), strings.Repeat("a", len(v)), v+v, "0x"+v, "{"+v+"}", v[:at]+"\x00"+v[at:], v[:at]+strings.ToUpper("b")+v[at+1:],
		))), errTokenClaim
	}},
	{name: "ser that no session has", make: func(f *forger) (string, error) {
		return f.saying("ser", draw(f, "0", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1.0", "1e3", `"1"`, strconv.FormatUint(1<<63+f.rnd.Uint64N(1<<63), 10))), errTokenClaim
	}},
	{name: "scope that is none", make: func(f *forger) (string, error) {
		return f.saying("scope", draw(f, `["orders:read"]`, `" orders:read"`, `"orders:read "`, `"a  b"`, `"a\tb"`, `"a\nb"`, `"a\"b"`, `"a\\b"`, `"é"`, `"a\u0000"`, `"a\u00a0b"`, `" "`, `"`+strings.Repeat(" ", 2+f.rnd.IntN(99))+`"`)), errTokenClaim
	}},
	{name: "a name twice in a claim of the app", make: func(f *forger) (string, error) {
		name := draw(f, "a", "id", "", "exp", "é")
		again := name
		if name != "" && name != "é" && f.below(2) == 0 {
			again = f.escaped(name)
		}
		value := object([]member{{name, "1"}, {"b", "[]"}, {again, draw(f, "1", "2", "null")}})
		for range f.below(8) {
			value = draw(f, "["+value+"]", "[0,"+value+"]", `{"c":`+value+"}", `{"c":0,"d":`+value+"}")
		}
		return f.claiming(f.with(f.members(), "zz", value)), errTokenPayload
	}},
	{name: "claims of the app that are too much", make: func(f *forger) (string, error) {
		deep := claimsDepthMax + f.rnd.IntN(400)
		return f.claiming(f.with(f.members(), "zz", draw(
			f, strings.Repeat("[", deep)+strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep)+"1"+strings.Repeat("}", deep), strings.Repeat(`[{"a":`, deep)+"1"+strings.Repeat("}]", deep),
			"1e400", "-1e400", `{"a":[1e309]}`, strings.Repeat("9", 310), `"`+strings.Repeat("z", claimsMax+f.rnd.IntN(99))+`"`,
		))), errTokenClaim
	}},
	{name: "a payload that nests and never ends", make: func(f *forger) (string, error) {
		deep := 1 + f.rnd.IntN(4000)
		open := draw(f, strings.Repeat("[", deep), strings.Repeat(`{"":`, deep/4+1), strings.Repeat(`[{"a":`, deep/6+1), strings.Repeat(`{"zz":`, deep/6+1))
		if f.below(2) == 0 {
			return f.signed(object(f.header()), strings.TrimSuffix(object(append(f.members(), member{"zz", open})), "}")), errTokenPayload
		}
		return f.signed(object(f.header()), open), errTokenPayload
	}},
	{name: "a payload that is no JSON object, or not strictly", weight: 2, make: func(f *forger) (string, error) {
		return f.signed(object(f.header()), draw(f, f.notJSON(f.members(), draw(f, "plan", "tenant"))...)), errTokenPayload
	}},
	{name: "a claim that is not UTF-8", make: func(f *forger) (string, error) {
		name := draw(f, slices.Concat(textClaims, listClaims)...)
		bad := draw(f, notTexts...)
		if slices.Contains(listClaims, name) {
			bad = draw(f, "["+bad+"]", `["admin",`+bad+"]")
		}
		return f.saying(name, bad), errTokenPayload
	}},
	{name: "a token in a token", make: func(f *forger) (string, error) {
		inner := f.token
		if f.below(2) == 0 {
			inner = f.signed(object(f.header()), f.payload)
		}
		payload := draw(f, inner, quoted(inner), "["+quoted(inner)+"]", base64JWK([]byte(inner)))
		if f.below(2) == 0 {
			return f.signed(object(f.with(f.header(), "cty", draw(f, `"JWT"`, `"at+jwt"`))), payload), errTokenParameter
		}
		return f.signed(object(f.header()), payload), errTokenPayload
	}},
	{name: "claims wrapped in something", make: func(f *forger) (string, error) {
		return f.signed(object(f.header()), draw(
			f, "{}", `{"payload":`+f.payload+"}", `{"claims":`+f.payload+"}", `{"":`+f.payload+"}", `{"payload":`+quoted(f.payload)+"}", `{"a":1}`, `{"claims":[`+f.payload+"]}",
		)), errTokenClaim
	}},
	{name: "a token of another kind in its place", make: func(f *forger) (string, error) {
		secrets, err := newSecretRing([]Secret{{Value: tokenSecret(32, 3)}}, nil, tokenTime)
		if err != nil {
			f.t.Fatal(err)
		}
		refresh, err1 := secrets.mintRefresh(refreshToken{f.claims.Session, 1 + f.rnd.Uint64N(99), f.claims.Subject}, tokenTime)
		device, err2 := secrets.mintDevice(deviceToken{ID: f.claims.ID.String(), Signed: true}, tokenTime)
		if err1 != nil || err2 != nil {
			f.t.Fatal(err1, err2)
		}
		other := draw(f, refresh, device)
		head, _, sig := parts(f.token)
		switch f.below(5) {
		case 0:
			return draw(f, other, other[5:], other+"."), errTokenForm
		case 1:
			return other + "." + other[5:] + "." + other[5:], errTokenHeader
		case 2:
			return head + "." + other[5:] + "." + sig, errTokenSignature
		case 3:
			return f.signedText(head + "." + other[5:]), errTokenPayload
		}
		return f.odd(put(f.header(), "typ", draw(f, `"JWT"`, `"rt+jwt"`, `"id+jwt"`))), errTokenType
	}},
}
