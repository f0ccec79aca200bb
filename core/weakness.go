package core

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// weakness says why b is no secret, or "". It can't prove that a secret is
// random; it finds what people type, and what everybody knows. Its answer
// holds nothing of b.
func weakness(b []byte, least int) string {
	switch {
	case len(b) == 0:
		return "it is empty"
	case len(b) < least:
		return fmt.Sprintf("%d bytes are too few: at least %d (RFC 7518 section 3.2)", len(b), least)
	case bytes.HasPrefix(bytes.TrimSpace(b), []byte("-----BEGIN ")):
		return "it is PEM text, perhaps a public key; parse it and give it as Signer or Public"
	case slices.Contains(knownSecrets, fingerprint(b)):
		return "it is a published example"
	case repeats(b):
		return "it repeats itself"
	case spread(b) < 6 || unguessable(b) < 12:
		return "it is easily guessed; take random bytes, such as those of: openssl rand -base64 48"
	}
	return ""
}

// repeats reports whether b is one piece over and over.
func repeats(b []byte) bool {
	for period := 1; period <= len(b)/2; period++ {
		if bytes.Equal(b[period:], b[:len(b)-period]) {
			return true
		}
	}
	return false
}

// spread returns how many different values the bytes of b have.
func spread(b []byte) int {
	var seen [256]bool
	n := 0
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// unguessable counts the bytes of b that are in no well-known word, separate
// no words and go on no run such as "1234" or "aaaa". Of 32 random bytes about
// 30 count, of 32 random hexadecimal digits about 26.
func unguessable(b []byte) int {
	n, last := 0, -2 // next to no byte
	for len(b) > 0 {
		if word := guessedWord(b); word > 0 {
			b, last = b[word:], -2
			continue
		}
		c := int(b[0])
		run := c >= last-1 && c <= last+1
		if !run && strings.IndexByte(" -_.:,;/+!?@#*=", b[0]) < 0 {
			n++
		}
		b, last = b[1:], c
	}
	return n
}

// guessedWord returns the length of the well-known word, in ASCII letters of
// either case, that b begins with, or 0.
func guessedWord(b []byte) int {
	for _, w := range guessedWords {
		if len(b) >= len(w) && strings.EqualFold(string(b[:len(w)]), w) {
			return len(w)
		}
	}
	return 0
}

// guessedWords are what example secrets are made of, longer ones before their
// beginnings.
var guessedWords = []string{
	"qwertyuiop", "asdfghjkl", "zxcvbnm", "qwerty", "1q2w3e4r", "letmein", "correct", "horse", "battery", "staple",
	"placeholder", "production", "development", "characters", "changeit", "changeme", "change", "replace", "please",
	"passphrase", "password", "passwd", "secrets", "secret", "s3cret", "s3cr3t", "p4ssw0rd", "p@ssw0rd", "supersafe",
	"session", "refresh", "access", "signing", "string", "private", "tokens", "token", "default", "example", "sample",
	"insecure", "secure", "unsafe", "random", "keyboard", "admin", "super", "minimum", "least", "longer", "long",
	"should", "must", "very", "which", "that", "this", "with", "your", "here", "only", "test", "demo", "local", "hello",
	"world", "valid", "bytes", "byte", "bits", "bit", "chars", "char", "hmac", "sha256", "sha512", "hs256", "hs384",
	"hs512", "256", "384", "512", "jwt", "key", "some", "the", "not", "use", "for", "dev", "my",
}

// knownSecrets are fingerprints of published HMAC keys: those of RFC 7515
// appendix A.1 and RFC 7520 section 3.5, each as bytes and as it is printed.
var knownSecrets = []string{"c8ecc9361a05e285", "8b1b17a9740c068a", "73ec74458059c70c", "0330b11998cbc9ab"}

// fingerprint returns the beginning of a SHA-256, of b less a line's end.
func fingerprint(b []byte) string {
	sum := sha256.Sum256(bytes.TrimRight(b, "\r\n"))
	return hex.EncodeToString(sum[:8])
}
