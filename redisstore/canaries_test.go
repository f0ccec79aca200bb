package redisstore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// canaries are tokens and secrets that must not be found. They are looked for piece
// by piece, so that 31 bytes of one in a row are found wherever it was cut.
type canaries struct {
	pieces map[piece]string // and which canary it is of
	whole  map[piece][]string
	count  int
}

type piece [16]byte

func newCanaries() *canaries {
	return &canaries{pieces: make(map[piece]string), whole: make(map[piece][]string)}
}

// form is one way to write a canary.
type form struct {
	name string
	text []byte
}

// formsOf returns ways to write some bytes.
func formsOf(name string, b []byte) []form {
	return []form{
		{name, b},
		{name + " in hex", []byte(hex.EncodeToString(b))},
		{name + " in HEX", []byte(strings.ToUpper(hex.EncodeToString(b)))},
		{name + " in base64", []byte(base64.RawStdEncoding.EncodeToString(b))},
		{name + " in base64url", []byte(base64.RawURLEncoding.EncodeToString(b))},
	}
}

// tokenForms returns ways to write what opens something in a token, or finds it: its
// text and its parts, its MAC or signature, and the SHA-256 of each text.
func tokenForms(token string) []form {
	parts := strings.Split(token, ".")
	if len(parts) == 3 {
		parts = parts[1:] // the header is the same in all tokens
	} else {
		_, parts[0], _ = strings.Cut(token, "_")
	}
	var all []form
	for i, text := range append([]string{token}, parts...) {
		name := "a token"
		if i > 0 {
			name = fmt.Sprint("part ", i, " of a token")
		}
		sum := sha256.Sum256([]byte(text))
		all = append(append(all, form{name, []byte(text)}), formsOf("the SHA-256 of "+name, sum[:])...)
	}
	last, err := base64.RawURLEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(last) < sha256.Size {
		panic("not a token: " + token)
	}
	return append(all, formsOf("a token's MAC", last[len(last)-sha256.Size:])...)
}

// token adds a token.
func (c *canaries) token(token string) {
	c.count++
	for _, f := range tokenForms(token) {
		from := 0
		if _, body, sealed := strings.Cut(token, "_"); sealed && string(f.text) == token {
			from = len(token) - len(body)
		}
		c.add(f.name, f.text[from:])
	}
	for _, part := range strings.Split(token, ".") { // the rest of it is no secret
		_, part, _ = strings.Cut("_"+part, "_")
		if decoded, err := base64.RawURLEncoding.DecodeString(part); err == nil && len(decoded) >= len(piece{}) {
			key := piece(decoded)
			c.whole[key] = append(c.whole[key], string(decoded))
		}
	}
}

// secret adds a secret.
func (c *canaries) secret(name string, secret []byte) {
	c.count++
	for _, f := range formsOf(name, secret) {
		c.add(f.name, f.text)
	}
}

func (c *canaries) add(name string, text []byte) {
	for ; len(text) >= len(piece{}); text = text[len(piece{}):] {
		c.pieces[piece(text)] = name
	}
}

// in returns what is found in a text: name and place.
func (c *canaries) in(text []byte) []string {
	var found []string
	for i := range max(0, len(text)-len(piece{})+1) {
		p := piece(text[i:])
		if name, ok := c.pieces[p]; ok {
			found = append(found, fmt.Sprintf("%s, in %.100q", name, text[max(0, i-40):]))
		}
		for _, whole := range c.whole[p] {
			if bytes.HasPrefix(text[i:], []byte(whole)) {
				found = append(found, fmt.Sprintf("what a token says, in %.100q", text[max(0, i-40):]))
			}
		}
	}
	return found
}
