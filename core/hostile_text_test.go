package core

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// textGenerators make other texts of a valid token, and texts that are none.
// Where the key's holder could have signed the other text, he has.
var textGenerators = []generator{
	{name: "cut off at any place", weight: 2, make: func(f *forger) (string, error) {
		at := f.below(len(f.token))
		if f.below(4) == 0 {
			return f.token[at+1:], nil
		}
		return f.token[:at], nil
	}},
	{name: "one bit flipped anywhere", weight: 6, make: func(f *forger) (string, error) {
		at := f.below(8 * len(f.token))
		b := []byte(f.token)
		b[at/8] ^= 1 << (at % 8)
		return string(b), nil
	}},
	{name: "characters changed, lost, doubled, turned round", weight: 2, make: func(f *forger) (string, error) {
		b := []byte(f.token)
		for range 1 + f.below(3) {
			at := f.rnd.IntN(len(b) - 1)
			switch f.below(5) {
			case 0:
				b[at] = base64Letters[f.rnd.IntN(64)]
			case 1:
				b = slices.Delete(b, at, at+1)
			case 2:
				b = slices.Insert(b, at, b[at])
			case 3:
				b[at], b[at+1] = b[at+1], b[at]
			default:
				b = slices.Insert(b, at, base64Letters[f.rnd.IntN(64)])
			}
		}
		if string(b) == f.token { // as when equal ones are turned round
			b = append(b, 'A')
		}
		return string(b), nil
	}},
	{name: "spare bits in the last character of a part", weight: 2, make: func(f *forger) (string, error) {
		spare := func(part string) string { // 4 or 2 bits
			last := strings.IndexByte(base64Letters, part[len(part)-1])
			last ^= 1 + f.rnd.IntN(map[int]int{2: 15, 3: 3}[len(part)%4])
			return part[:len(part)-1] + base64Letters[last:last+1]
		}
		loose := func(json string) string { // with spaces until there are spare bits
			for range f.rnd.IntN(6) {
				json += " "
			}
			for len(json)%3 == 0 {
				json += " "
			}
			return base64JWK([]byte(json))
		}
		head, payload, sig := parts(f.token)
		switch part := f.below(3); {
		case part == 0 && len(sig)%4 != 0:
			return head + "." + payload + "." + spare(sig), errTokenSignature
		case part == 1:
			return f.signedText(spare(loose(object(f.header()))) + "." + payload), errTokenHeader
		}
		return f.signedText(head + "." + spare(loose(f.payload))), errTokenPayload
	}},
	{name: "padding", make: func(f *forger) (string, error) {
		pad := draw(f, "=", "==", "===", "====", "%3D", "%3d", "=A", "A=")
		return f.inserted(pad, f.ends()), errTokenForm
	}},
	{name: "white space, line breaks and NUL anywhere", weight: 3, make: func(f *forger) (string, error) {
		s := draw(f, "\r", "\n", "\r\n", " ", "\t", "\v", "\f", "\x00", "\u00a0", "\u2028", "\ufeff", "\u200b", `\n`, "%0A", "%20", "\r\n ")
		return f.inserted(s, f.below(len(f.token)+1)), errTokenForm
	}},
	{name: "the standard alphabet", make: func(f *forger) (string, error) {
		standard := strings.NewReplacer("-", "+", "_", "/")
		f.claims.Subject += draw(f, "?????", ">>>>>", "?????>>>>>") // of which every encoding has "-" or "_"
		text := base64JWK([]byte(object(f.header()))) + "." + base64JWK(encoded(f.t, f.claims))
		if f.below(2) == 0 {
			return f.signedText(standard.Replace(text)), errTokenForm
		}
		sig := f.sign(text)
		if strings.ContainsAny(sig, "-_") && f.below(2) == 0 {
			return text + "." + standard.Replace(sig), errTokenForm
		}
		return standard.Replace(text) + "." + sig, errTokenForm
	}},
	{name: "two tokens in one", make: func(f *forger) (string, error) {
		between := draw(f, "", ".", ",", ", ", " ", ";", "\n", "\x00", "&", "..")
		first, second := f.token, draw(f, f.token, f.other, "x", strings.ToUpper(f.token))
		if f.below(3) == 0 {
			first, second = second, first
		}
		return first + between + second, nil
	}},
	{name: "more or fewer parts than three", make: func(f *forger) (string, error) {
		h, p, s := parts(f.token)
		return draw(
			f, "", ".", "..", "...", h, h+".", h+"."+p, h+"."+p+".", h+".."+s, "."+p+"."+s, h+"."+p+s, h+p+"."+s, "."+f.token, f.token+".", f.token+"..", f.token+"."+s, h+"."+f.token,
			f.token+".A", f.token+"."+p+"."+s, h+"."+p+"..", h+".."+p+"."+s, h+"."+p+"."+s+"."+s, h+"."+h+"."+p+"."+s, h+"."+p+"."+h+"."+p+"."+s, ".."+s, "."+p+".",
		), nil
	}},
	{name: "parts in another order or of several tokens", make: func(f *forger) (string, error) {
		h, p, s := parts(f.token)
		oh, op, os := parts(f.other)
		k := f.another()
		ah := k.header
		return strings.Join(draw(
			f, []string{p, h, s}, []string{h, s, p}, []string{s, p, h}, []string{p, s, h}, []string{s, h, p}, []string{h, h, s}, []string{h, p, p}, []string{p, p, s}, []string{h, p, h},
			[]string{h, op, s}, []string{h, p, os}, []string{oh, op, s}, []string{ah, p, s}, []string{ah, op, s}, []string{ah, p, ""}, []string{h, "", s}, []string{"", p, s},
		), "."), nil
	}},
	{name: "quoted, encoded, in another case", make: func(f *forger) (string, error) {
		t := f.token
		at := f.rnd.IntN(len(t))
		swap := strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, t)
		return draw(
			f, `"`+t+`"`, "'"+t+"'", "<"+t+">", "Bearer "+t, "bearer "+t, "Bearer"+t, "JWT "+t, strings.ReplaceAll(t, ".", "%2E"), strings.Replace(t, ".", "\u3002", 1), strings.Replace(t, ".", "\uff0e", 2),
			strings.ToUpper(t), strings.ToLower(t), swap, base64JWK([]byte(t)), base64.StdEncoding.EncodeToString([]byte(t)), url.QueryEscape(t)+"%00", fmt.Sprintf("%x", t), "\ufeff"+t, t+"#", t+"?x=1", t+";x=1",
			t[:at]+fmt.Sprintf("%%%02X", t[at])+t[at+1:], t[:at]+string(rune(t[at])+0xfee0)+t[at+1:], "\xff\xfe"+t, "access_token="+t, t[:at]+`\u00`+fmt.Sprintf("%02x", t[at])+t[at+1:],
		), nil
	}},
	{name: "the JSON serialization", make: func(f *forger) (string, error) {
		h, p, s := parts(f.token)
		one := []member{{"protected", quoted(h)}, {"signature", quoted(s)}}
		flat := slices.Concat(one, []member{{"payload", quoted(p)}})
		form := object(draw(
			f, flat, slices.Concat(flat, []member{{"header", `{"kid":` + quoted(f.key.id) + "}"}}), []member{{"payload", quoted(p)}, {"signatures", "[" + object(one) + "]"}},
			[]member{{"payload", quoted(p)}, {"signatures", "[" + object(one) + "," + object(one) + "]"}}, []member{{"payload", f.payload}, {"protected", quoted(h)}, {"signature", quoted(s)}},
			[]member{{"payload", quoted(p)}, {"header", object(f.header())}, {"signature", quoted(s)}}, []member{{"access_token", quoted(f.token)}}, []member{{"payload", f.payload}},
		))
		return draw(f, form, base64JWK([]byte(form)), form+"..", "["+form+"]"), errTokenForm
	}},
	{name: "longer than a token may be", make: func(f *forger) (string, error) {
		head := base64JWK([]byte(object(f.header())))
		over := draw(f, 4, 5, 8, 100, 1000, 10_000) + f.rnd.IntN(4000)
		switch f.below(4) {
		case 0:
			return f.signed(object(f.header()), f.padded(accessTokenMax+over)), errTokenLong // good but for that
		case 1:
			return head + "." + strings.Repeat("A", accessTokenMax+over) + "." + f.claims.ID.String(), errTokenLong
		case 2:
			return f.token + strings.Repeat(draw(f, ".", "A", "\n", "="), accessTokenMax+over), errTokenLong
		}
		return strings.Repeat(draw(f, ".", "A", "e30.", "\x00", "["), accessTokenMax+over) + f.claims.ID.String(), errTokenLong
	}},
	{name: "no token at all", make: func(f *forger) (string, error) {
		b := make([]byte, f.rnd.IntN(600))
		for i := range b {
			b[i] = byte(f.rnd.Uint32())
		}
		junk := "AZaz09-_.=+/ \r\n\x00\"{}%\xc3\xa9"
		switch f.below(4) {
		case 0:
			return string(b), nil
		case 1:
			for i := range b {
				b[i] = junk[int(b[i])%len(junk)]
			}
			return string(b), nil
		case 2:
			third := len(b) / 3
			return base64JWK(b[:third]) + "." + base64JWK(b[third:2*third]) + "." + base64JWK(b[2*third:]), nil
		}
		head, _, _ := parts(f.token)
		return head + "." + base64JWK(b) + "." + base64JWK(b[len(b)/2:]), nil
	}},
}

// ends returns one of the places where a part of the valid token ends.
func (f *forger) ends() int {
	head, payload, _ := parts(f.token)
	return draw(f, len(head), len(head)+1+len(payload), len(f.token))
}

// inserted returns the valid token with something inserted, signed again if it
// is in what is signed.
func (f *forger) inserted(s string, at int) string {
	head, payload, _ := parts(f.token)
	end := len(head) + 1 + len(payload)
	if at > end || f.below(2) == 0 {
		return f.token[:at] + s + f.token[at:]
	}
	return f.signedText(f.token[:at] + s + f.token[at:end])
}
