package core

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The app's own claims are members of the access token beside those that are
// defined here. They have one form, in the ledger as in the token: a JSON
// object without white space, its members in the order of RFC 8785 section
// 3.2.3 at every depth, strings escaped no more than needed, numbers as the app
// wrote them; nil if there are none.
const (
	claimsMax      = 4 << 10 // bytes
	claimsDepthMax = 16      // objects and arrays within each other
)

// EncodeClaims writes v, by its JSON members, in the form that the app's claims
// have in a token. v must become a JSON object of at most 4 KiB without
// duplicate names, with names that are not taken (see below), at most 16 levels
// deep, with numbers in the range of a float64. nil, and an object without
// members, become nil.
//
// Taken, in any letter case and with or without "_" and "-": the claims that
// access tokens have here, the others of RFC 7519, RFC 8693, RFC 9068 and
// OpenID Connect that say who somebody is or when a token holds, and the
// parameters of a JOSE header.
func EncodeClaims(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	raw, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("sallyport: claims: %w", err)
	}
	return checkAppClaims(raw)
}

// DecodeClaims reads claims into a T. Names match exactly, letter case
// included; a name that T does not have is passed over, so that processes of
// two versions understand each other's tokens; a value that T can't hold is an
// error. No claims are the zero T.
func DecodeClaims[T any](raw []byte) (T, error) {
	var v T
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		var zero T
		return zero, fmt.Errorf("sallyport: claims: %w", err)
	}
	return v, nil
}

// Why an app's claims were refused.
var (
	errClaimsSyntax = errors.New("sallyport: claims: not one JSON object, or not valid by RFC 7493: duplicate names, bad UTF-8")
	errClaimsSize   = fmt.Errorf("sallyport: claims: more than %d bytes", claimsMax)
	errClaimsDepth  = fmt.Errorf("sallyport: claims: more than %d levels deep", claimsDepthMax)
	errClaimsNumber = errors.New("sallyport: claims: a number that is beyond the range of a float64")
	errClaimsTaken  = errors.New("sallyport: claims: a name that is taken")
)

// checkAppClaims returns raw in the form that an app's claims have, or nil for
// no members. It gives back what it once returned.
func checkAppClaims(raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	form, err := jsontext.AppendFormat(nil, raw, jsontext.ReorderRawObjects(true))
	if err != nil || form[0] != '{' {
		return nil, errClaimsSyntax
	}
	if len(form) > claimsMax {
		return nil, errClaimsSize
	}
	if string(form) == "{}" {
		return nil, nil
	}
	var walk appClaims
	if err := json.Unmarshal(form, &walk); err != nil {
		if walk.reason != nil {
			return nil, walk.reason
		}
		return nil, errClaimsSyntax
	}
	return form, nil
}

// appClaims walks over claims whose syntax is good.
type appClaims struct{ reason error }

func (a *appClaims) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	a.reason = a.walk(dec)
	return a.reason
}

func (a *appClaims) walk(dec *jsontext.Decoder) error {
	for {
		t, err := dec.ReadToken()
		if err != nil {
			return err
		}
		switch depth := dec.StackDepth(); t.Kind() {
		case '"':
			if _, n := dec.StackIndex(depth); depth == 1 && n%2 == 1 && claimTaken(t.String()) {
				return fmt.Errorf("%w: %s", errClaimsTaken, strconv.QuoteToASCII(t.String()))
			}
		case '0':
			if _, err := strconv.ParseFloat(t.String(), 64); err != nil {
				return errClaimsNumber
			}
		case '{', '[':
			if depth > claimsDepthMax {
				return errClaimsDepth
			}
		case '}', ']':
			if depth == 0 {
				return nil
			}
		}
	}
}

// claimTaken reports whether an app may not have a claim of this name. Readers
// that ignore letter case, as encoding/json does by the rules of Unicode, or
// "_" and "-", must not take an app's claim for one of ours.
func claimTaken(name string) bool {
	var folded [takenMax]byte
	n := 0
	for _, r := range name {
		switch {
		case r == '_' || r == '-':
			continue
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r == '\u017f': // the only two that fold to an ASCII letter
			r = 's'
		case r == '\u212a':
			r = 'k'
		}
		if n == takenMax || r >= 0x80 {
			return false
		}
		folded[n] = byte(r)
		n++
	}
	return takenClaims[string(folded[:n])]
}

const takenMax = 16 // bytes in the longest name below, or more

var takenClaims = map[string]bool{
	// ours
	"iss": true, "aud": true, "sub": true, "iat": true, "exp": true, "jti": true, "sid": true, "ser": true,
	"authtime": true, "did": true, "dtp": true, "ct": true, "scope": true, "roles": true, "amr": true,
	// what others read, and what may yet be ours
	"nbf": true, "acr": true, "azp": true, "nonce": true, "cnf": true, "clientid": true, "act": true, "mayact": true,
	// JOSE headers
	"typ": true, "cty": true, "crit": true, "alg": true, "kid": true, "jku": true, "jwk": true, "x5u": true, "x5c": true,
	"x5t": true, "b64": true, "zip": true,
}
