package core

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// forger knows one key of a ring, and a thief's key that goes by its name.
type forger struct {
	t     testing.TB
	rnd   *mathrand.Rand
	ring  *keyRing
	key   *ringKey
	thief *ringKey // of key's id and algorithm
	cert  string   // of the thief, base64 of DER
	url   string   // of a server that is never to be asked

	claims  *accessClaims // new at every call
	payload string        // what they are encoded to

	token, other string // two valid ones, new after some calls

	calls  int           // of the generator at hand
	valid  int           // valid tokens that were made
	turn   int           // see below; -1: it was taken
	leeway time.Duration // with which the token is to be verified
}

// hostileRing has a key of every algorithm.
func hostileRing(t testing.TB) *keyRing {
	var keys []Key
	for _, alg := range tokenAlgorithms {
		k := tokenKey(alg)
		k.ID = keyName(alg)
		keys = append(keys, k)
	}
	return tokenRing(t, keys...)
}

func keyName(alg Algorithm) string { return "k-" + strings.ToLower(string(alg)) }

func newForger(t testing.TB, ring *keyRing, key *ringKey, seed uint64) *forger {
	f := &forger{t: t, rnd: mathrand.New(mathrand.NewPCG(7, seed)), ring: ring, key: key}
	k := Key{ID: key.id, Algorithm: key.alg}
	if key.public == nil {
		k.Secret = tokenSecret(key.signature, 55)
	} else {
		k.Signer = thiefSigners()[key.alg]
	}
	f.thief = tokenRing(t, k).keys[0]
	f.cert = certificate(t, f.thief)
	for i := range 2 {
		f.begin(i)
		f.renew()
	}
	return f
}

// thiefSigners are made once.
var thiefSigners = sync.OnceValue(func() map[Algorithm]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[Algorithm]crypto.Signer{RS256: rsaKey, PS256: rsaKey, ES256: ecKey, EdDSA: otherEd25519(7)}
})

// next makes a token.
func (f *forger) next(g generator) (token string, why error) {
	f.calls++
	if f.calls%32 == 0 {
		f.renew()
	}
	f.begin(f.calls)
	return g.make(f)
}

// begin makes other claims, for the nth call.
func (f *forger) begin(n int) {
	f.turn, f.leeway = n, 0
	c := tokenClaims()
	for i := range c.ID {
		c.ID[i], c.Session[i] = byte(f.rnd.Uint32()), byte(f.rnd.Uint32())
	}
	c.Serial = 10 + f.rnd.Uint64N(1e6)
	c.Subject = fmt.Sprintf("user%d", f.rnd.IntN(1e6))
	f.claims, f.payload = c, string(encoded(f.t, c))
}

func (f *forger) renew() {
	f.other, f.token = f.token, f.signed(object(f.header()), f.payload)
}

// below returns a number from 0 to n-1. The first that a generator draws goes
// through all of them in n calls, in leaps; the others are random.
func (f *forger) below(n int) int {
	if f.turn < 0 {
		return f.rnd.IntN(n)
	}
	turn := f.turn * 7919 % n // a prime
	f.turn = -1
	return turn
}

// draw returns one of a list.
func draw[T any](f *forger, list ...T) T { return list[f.below(len(list))] }

// sign returns the signature of a text as it stands in a token.
func (f *forger) sign(text string) string { return base64JWK(signature(f.t, f.key, text)) }

func signature(t testing.TB, key *ringKey, text string) []byte {
	t.Helper()
	sig, err := key.sign(text)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// mac returns the signature of an algorithm of HMAC with any secret.
func mac(t testing.TB, alg Algorithm, secret []byte, text string) []byte {
	t.Helper()
	sig, err := algorithms[alg].method.Sign(text, secret)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// text returns what is signed of a token with a header and the payload.
func (f *forger) text(header []member) string {
	return base64JWK([]byte(object(header))) + "." + base64JWK([]byte(f.payload))
}

// signed returns a token of the key's.
func (f *forger) signed(header, payload string) string { return forge(f.t, f.key, header, payload) }

// signedText returns a token of the key's, whatever text is.
func (f *forger) signedText(text string) string { return text + "." + f.sign(text) }

// parts returns the parts of a token as they stand.
func parts(token string) (header, payload, signature string) {
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, _ = strings.Cut(rest, ".")
	return header, payload, signature
}

// another returns a key of the ring that is not the forger's.
func (f *forger) another() *ringKey {
	for {
		if k := f.ring.keys[f.rnd.IntN(len(f.ring.keys))]; k != f.key {
			return k
		}
	}
}

// padded returns the payload with as many spaces as make the longest token of at
// most n bytes with the header of f.header.
func (f *forger) padded(n int) string {
	room := n - strictBase64.EncodedLen(len(object(f.header()))) - strictBase64.EncodedLen(f.key.signature) - 2
	return f.payload + strings.Repeat(" ", strictBase64.DecodedLen(room)-len(f.payload))
}

// escaped returns s with one ASCII character as a JSON escape.
func (f *forger) escaped(s string) string {
	at := f.below(len(s))
	return fmt.Sprintf(`%s\u%04x%s`, s[:at], s[at], s[at+1:])
}

// member is a member of a JSON object as it stands, the name without its quotes.
type member struct{ name, value string }

func object(list []member) string {
	var b strings.Builder
	for i, m := range list {
		b.WriteString(map[bool]string{true: `{"`, false: `,"`}[i == 0] + m.name + `":` + m.value)
	}
	return b.String() + "}"
}

// header returns the members of a good header.
func (f *forger) header() []member {
	return []member{{"alg", quoted(string(f.key.alg))}, {"kid", quoted(f.key.id)}, {"typ", quoted(accessTokenType)}}
}

// members returns the members of the payload.
func (f *forger) members() []member {
	var list []member
	dec := jsontext.NewDecoder(strings.NewReader(f.payload))
	if _, err := dec.ReadToken(); err != nil {
		f.t.Fatal(err)
	}
	for dec.PeekKind() == '"' {
		name, err1 := dec.ReadToken()
		text := name.String()
		value, err2 := dec.ReadValue()
		if err1 != nil || err2 != nil {
			f.t.Fatal(err1, err2)
		}
		list = append(list, member{text, string(value)})
	}
	return list
}

// put gives a member another value.
func put(list []member, name, value string) []member {
	list = append([]member(nil), list...)
	list[index(list, name)].value = value
	return list
}

// rename gives a member another name.
func rename(list []member, name, to string) []member {
	list = append([]member(nil), list...)
	list[index(list, name)].name = to
	return list
}

// drop leaves a member out.
func drop(list []member, name string) []member {
	at := index(list, name)
	return append(append([]member(nil), list[:at]...), list[at+1:]...)
}

// with adds a member, at one end or the other.
func (f *forger) with(list []member, name, value string) []member {
	if f.below(2) == 0 {
		return append([]member{{name, value}}, list...)
	}
	return append(append([]member(nil), list...), member{name, value})
}

func index(list []member, name string) int {
	for i, m := range list {
		if m.name == name {
			return i
		}
	}
	panic("no member " + name)
}

func quoted(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// recased returns a name that a careless reader takes for another: in other
// letter case by ASCII or Unicode, or escaped as well.
func (f *forger) recased(name string) string {
	flip := func(at int) string { // the letter there, or the first
		if name[at] < 'a' {
			at = 0
		}
		return name[:at] + strings.ToUpper(name[at:at+1]) + name[at+1:]
	}
	list := []string{strings.ToUpper(name), flip(0), flip(len(name) - 1), flip(f.rnd.IntN(len(name)))}
	for _, fold := range []string{"s\u017f", "k\u212a"} {
		if at := strings.IndexByte(name, fold[0]); at >= 0 {
			list = append(list, name[:at]+fold[1:]+name[at+1:])
		}
	}
	list = append(list, fmt.Sprintf(`\u%04x`, name[0]-'a'+'A')+name[1:])
	return draw(f, list...)
}
