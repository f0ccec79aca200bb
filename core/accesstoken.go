package core

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// An access token is a JWT (RFC 7519) in the manner of RFC 9068, signed in the
// compact form of RFC 7515. Its header is exactly "alg", "kid" and "typ".
const (
	accessTokenType = "at+jwt" // RFC 9068 section 2.1

	// accessTokenMax is the length of the longest token that is looked at, in
	// bytes. A token travels in one line of a header, for which servers and
	// proxies commonly have 8 KiB.
	accessTokenMax = 8 << 10
	// accessPayloadMax is the length of the longest payload that is signed, in
	// bytes of JSON. Whatever the key, it makes a token of accessTokenMax or
	// less, so that a session that began can be refreshed when keys change.
	accessPayloadMax = 4864
	accessHeaderMax  = 256 // bytes of JSON
)

// Why an access token was refused. A reason holds nothing of the token but the
// name of a claim of an authentic one.
var (
	errTokenLong      = fmt.Errorf("longer than %d bytes", accessTokenMax)
	errTokenForm      = errors.New("not three parts of base64url")
	errTokenHeader    = errors.New("header: not one JSON object of strings alg, kid and typ")
	errTokenParameter = errors.New("header: a parameter other than alg, kid and typ")
	errTokenType      = errors.New("header: typ is not " + accessTokenType)
	errTokenKey       = errors.New("header: kid is of no key in the ring")
	errTokenAlgorithm = errors.New("header: alg is not the key's")
	errTokenSignature = errors.New("signature: not the key's")
	errTokenPayload   = errors.New("payload: not one JSON object that is valid by RFC 7493")
	errTokenClaim     = errors.New("payload: a claim is missing or wrong")
	errTokenIssuer    = errors.New("payload: another iss")
	errTokenAudience  = errors.New("payload: another aud")
	errTokenFuture    = errors.New("payload: iat is in the future")
	errTokenExpired   = errors.New("payload: exp has passed")
)

// mint signs c with the key that signs at now. It truncates times to the
// second, so that no token outlives what it is cut to, and fails if the ring
// has no such key, if the key's Signer does, or if verify would refuse what c
// says whatever the time.
func (r *keyRing) mint(c *accessClaims, now time.Time) (string, error) {
	key := r.signing(now)
	if key == nil {
		return "", errors.New("sallyport: no key has begun to sign")
	}
	payload, err := c.encode()
	if err != nil {
		return "", err
	}
	text := make([]byte, 0, len(key.header)+strictBase64.EncodedLen(len(payload))+strictBase64.EncodedLen(key.signature)+2)
	text = append(append(text, key.header...), '.')
	text = strictBase64.AppendEncode(text, payload)
	sig, err := key.sign(string(text))
	if err != nil {
		return "", err
	}
	return string(strictBase64.AppendEncode(append(text, '.'), sig)), nil
}

// accessVerifier verifies access tokens. It is safe for concurrent use, and no
// token makes it open a file or a connection.
type accessVerifier struct {
	ring     *keyRing
	issuer   string
	audience string
	leeway   time.Duration // how far the clock that set exp and iat may be off
}

// verify returns what an authentic token says that is for this audience and
// valid at now: iat <= now + leeway and now < exp + leeway. Otherwise the error
// is ErrTokenInvalid, and there are no claims; or it is ErrTokenExpired, which
// means authentic and right but for its time, and the claims come with it.
//
// Every token has one spelling. What verify costs is bounded whatever token is.
func (v accessVerifier) verify(token string, now time.Time) (*accessClaims, error) {
	c, err := v.read(token)
	if err != nil {
		return nil, ErrTokenInvalid.because(err)
	}
	if c.IssuedAt.After(now.Add(v.leeway)) {
		return nil, ErrTokenInvalid.because(errTokenFuture)
	}
	if !now.Before(c.ExpiresAt.Add(v.leeway)) {
		return c, ErrTokenExpired.because(errTokenExpired)
	}
	return c, nil
}

// read checks everything but the time. Nothing of the payload is looked at
// before the signature is known to be good.
func (v accessVerifier) read(token string) (*accessClaims, error) {
	header, payload, signature, err := cutToken(token)
	if err != nil {
		return nil, err
	}
	key, err := v.ring.keyFor(header)
	if err != nil {
		return nil, err
	}
	if len(signature) != strictBase64.EncodedLen(key.signature) {
		return nil, errTokenSignature
	}
	sig, err := strictBase64.DecodeString(signature)
	if err != nil || key.verify(token[:len(header)+1+len(payload)], sig) != nil {
		return nil, errTokenSignature
	}
	raw, err := strictBase64.DecodeString(payload)
	if err != nil {
		return nil, errTokenPayload
	}
	c := new(accessClaims)
	switch err := c.decode(raw); {
	case err != nil:
		return nil, err
	case c.Issuer != v.issuer:
		return nil, errTokenIssuer
	case c.Audience != v.audience:
		return nil, errTokenAudience
	}
	return c, nil
}

// cutToken returns the parts of a token in the compact form of RFC 7515 section
// 3.1, each of which may be empty and is of no other characters than it may have.
func cutToken(token string) (header, payload, signature string, err error) {
	if len(token) > accessTokenMax {
		return "", "", "", errTokenLong
	}
	header, rest, ok1 := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || !inBase64(header) || !inBase64(payload) || !inBase64(signature) { // "." is not in it
		return "", "", "", errTokenForm
	}
	return header, payload, signature, nil
}

// keyFor returns the key that a header names, if it is one that such a token
// may have. The headers that the ring itself writes need no parsing.
func (r *keyRing) keyFor(header string) (*ringKey, error) {
	if key := r.headers[header]; key != nil {
		return key, nil
	}
	if len(header) > strictBase64.EncodedLen(accessHeaderMax) {
		return nil, errTokenHeader
	}
	raw, err := strictBase64.DecodeString(header)
	if err != nil {
		return nil, errTokenHeader
	}
	var h struct {
		Alg *string `json:"alg"`
		Kid *string `json:"kid"`
		Typ *string `json:"typ"`
	}
	if err := json.Unmarshal(raw, &h, json.RejectUnknownMembers(true)); err != nil {
		if errors.Is(err, json.ErrUnknownName) {
			return nil, errTokenParameter
		}
		return nil, errTokenHeader
	}
	if h.Alg == nil || h.Kid == nil || h.Typ == nil {
		return nil, errTokenHeader
	}
	key := r.byID(*h.Kid)
	switch {
	case *h.Typ != accessTokenType:
		return nil, errTokenType
	case key == nil:
		return nil, errTokenKey
	case *h.Alg != string(key.alg):
		return nil, errTokenAlgorithm
	}
	return key, nil
}
