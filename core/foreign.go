package core

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Foreign has guards accept access tokens that somebody else issues: an app that
// goes on making its own JWTs while it moves over. Such a token has no session.
// It is good until it expires, or until it is revoked by its "jti"; one without
// a "jti" can't be revoked.
//
// A foreign token is a JWT in the compact form of RFC 7515, of at most 8 KiB,
// signed by one of Keys with that key's algorithm. Its header is at most 1 KiB
// and has no other members than "alg", "kid", "typ", "x5t" and "x5t#S256", no member of header
// or payload comes twice, and it has an "exp". "iat", "nbf", "jti" and
// "auth_time" are heeded if they are there.
type Foreign struct {
	// Keys verify foreign tokens, at most 16. One with an ID verifies only
	// tokens with that "kid", one without an ID those with any or none. They are
	// as strong as Config.Keys have to be, no key has two algorithms, here or in
	// both, and none ever signs.
	Keys []Key
	// Type is what the header says in "typ". "": "JWT" or nothing. "at+jwt"
	// needs an Issuer that is not Config.Issuer, and never was while one of Keys
	// signed for this Auth, so that none of its tokens passes for a foreign one.
	Type string
	// Issuer and Audience are what "iss" must say and "aud" must contain. "":
	// they are not looked at.
	Issuer   string
	Audience string
	// Identity reads who it is from the payload, a JSON object that was
	// verified; [DecodeClaims] helps. An error refuses the token, for instance
	// if the payload is that of another kind of token made with the same key.
	// It is called by many goroutines, once for each token that is not in the
	// cache. nil: the user id is "sub", beside "scope", "roles" and "amr".
	Identity func(claims []byte) (Identity, error)
}

const foreignKeysMax = 16

// Why a foreign token was refused, beside the reasons of access tokens.
var (
	errForeignParameter = errors.New("header: a parameter other than alg, kid, typ, x5t and x5t#S256")
	errForeignType      = errors.New("header: another typ")
	errForeignKey       = errors.New("header: no key in Foreign.Keys has this alg and kid")
	errForeignFuture    = errors.New("payload: iat or nbf is in the future")
	errForeignIdentity  = errors.New("payload: it names no user")
)

// foreignVerifier verifies foreign tokens. It is safe for concurrent use.
type foreignVerifier struct {
	Foreign
	keys   []*ringKey // in the order of Foreign.Keys
	leeway time.Duration
}

// settleForeign returns what verifies foreign tokens, nil if there are none.
func (c *Config) settleForeign() (*foreignVerifier, error) {
	f := c.Foreign
	if len(f.Keys) == 0 {
		if f.Type != "" || f.Issuer != "" || f.Audience != "" || f.Identity != nil {
			return nil, errors.New("sallyport: Config.Foreign.Keys: there is none")
		}
		return nil, nil
	}
	var wrong []error
	if len(f.Keys) > foreignKeysMax {
		wrong = append(wrong, fmt.Errorf("sallyport: Config.Foreign.Keys: more than %d", foreignKeysMax))
	}
	if strings.EqualFold(f.Type, accessTokenType) && (f.Issuer == "" || f.Issuer == c.Issuer) {
		wrong = append(wrong, fmt.Errorf("sallyport: Config.Foreign.Type: %q needs a Foreign.Issuer other than Config.Issuer", f.Type))
	}
	used, own := make(map[string]Algorithm), make(map[string]bool)
	for _, k := range c.Keys {
		if key, material, err := k.read(); err == nil {
			used[material], own[key.id] = key.alg, true
		}
	}
	v := &foreignVerifier{Foreign: f, leeway: c.Leeway}
	if v.Identity == nil {
		v.Identity = standardIdentity
	}
	for i, k := range f.Keys {
		key, material, err := k.read()
		if err == nil {
			alg, known := used[material]
			switch {
			case known && alg != key.alg:
				err = errors.New("the same key is in use with another algorithm (RFC 8725 section 3.1)")
			case k.ID != "" && slices.ContainsFunc(v.keys, func(o *ringKey) bool { return o.id == k.ID && o.alg == key.alg }):
				err = errors.New("another key has the same id and algorithm")
			case f.Type == accessTokenType && own[k.ID]:
				err = errors.New("a key of Config.Keys has the same id: a token with it is taken for one of this Auth")
			}
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("sallyport: Config.Foreign.Keys[%d]: %w", i, err))
			continue
		}
		used[material] = key.alg
		key.id = k.ID // "": any
		v.keys = append(v.keys, key)
	}
	return v, errors.Join(wrong...)
}

// standardIdentity reads the claims of RFC 9068.
func standardIdentity(claims []byte) (Identity, error) {
	c, err := DecodeClaims[struct {
		Sub   string   `json:"sub"`
		Scope string   `json:"scope"`
		Roles []string `json:"roles"`
		AMR   []string `json:"amr"`
	}](claims)
	return Identity{UserID: c.Sub, Scopes: strings.Fields(c.Scope), Roles: c.Roles, AMR: c.AMR}, err
}

// verify is accessVerifier.verify for foreign tokens.
func (v *foreignVerifier) verify(token string, now time.Time) (*known, error) {
	k, err := v.read(token)
	switch {
	case err != nil:
		return nil, ErrTokenInvalid.because(err)
	case now.Before(k.from):
		return nil, ErrTokenInvalid.because(errForeignFuture)
	case !now.Before(k.until):
		return k, ErrTokenExpired.because(errTokenExpired)
	}
	return k, nil
}

// read checks everything but the time. Nothing of the payload is looked at
// before the signature is known to be good.
func (v *foreignVerifier) read(token string) (*known, error) {
	header, payload, signature, err := cutToken(token)
	if err != nil {
		return nil, err
	}
	keys, err := v.keysFor(header)
	if err != nil {
		return nil, err
	}
	sig, err := strictBase64.DecodeString(signature)
	if err != nil {
		return nil, errTokenSignature
	}
	signed := token[:len(header)+1+len(payload)]
	if !slices.ContainsFunc(keys, func(k *ringKey) bool { return k.verifyAny(signed, sig) == nil }) {
		return nil, errTokenSignature
	}
	raw, err := strictBase64.DecodeString(payload)
	if err != nil {
		return nil, errTokenPayload
	}
	return v.claims(raw)
}

// keysFor returns the keys that a token with this header may be signed by.
func (v *foreignVerifier) keysFor(header string) ([]*ringKey, error) {
	if len(header) > strictBase64.EncodedLen(foreignHeaderMax) {
		return nil, errTokenHeader
	}
	raw, err := strictBase64.DecodeString(header)
	if err != nil {
		return nil, errTokenHeader
	}
	var h struct {
		Alg     *string `json:"alg"`
		Kid     *string `json:"kid"`
		Typ     *string `json:"typ"`
		X5t     *string `json:"x5t"`
		X5tS256 *string `json:"x5t#S256"`
	}
	if err := json.Unmarshal(raw, &h, json.RejectUnknownMembers(true)); err != nil {
		if errors.Is(err, json.ErrUnknownName) {
			return nil, errForeignParameter
		}
		return nil, errTokenHeader
	}
	switch {
	case h.Alg == nil:
		return nil, errTokenHeader
	case v.Type == "" && h.Typ != nil && !strings.EqualFold(*h.Typ, "JWT"),
		v.Type != "" && (h.Typ == nil || *h.Typ != v.Type):
		return nil, errForeignType
	}
	var keys []*ringKey
	for _, k := range v.keys {
		if string(k.alg) == *h.Alg && (k.id == "" || h.Kid != nil && *h.Kid == k.id) {
			keys = append(keys, k)
		}
	}
	if keys == nil {
		return nil, errForeignKey
	}
	return keys, nil
}

const foreignHeaderMax = 1 << 10 // bytes of JSON

// claims reads a payload that was verified.
func (v *foreignVerifier) claims(raw []byte) (*known, error) {
	var c struct {
		Iss      *string        `json:"iss"`
		Aud      jsontext.Value `json:"aud"`
		Exp      *float64       `json:"exp"`
		Iat      *float64       `json:"iat"`
		Nbf      *float64       `json:"nbf"`
		AuthTime *float64       `json:"auth_time"`
		Jti      *string        `json:"jti"`
	}
	if err := json.Unmarshal(raw, &c); err != nil || len(raw) == 0 || raw[0] != '{' {
		return nil, errTokenPayload
	}
	expires, err := numericDate(c.Exp, "exp")
	if err == nil && expires.IsZero() {
		err = wrongClaim("exp")
	}
	issued, wrongIat := numericDate(c.Iat, "iat")
	since, wrongNbf := numericDate(c.Nbf, "nbf")
	auth, wrongAuth := numericDate(c.AuthTime, "auth_time")
	if err := errors.Join(err, wrongIat, wrongNbf, wrongAuth); err != nil {
		return nil, err
	}
	switch {
	case v.Issuer != "" && (c.Iss == nil || *c.Iss != v.Issuer):
		return nil, errTokenIssuer
	case v.Audience != "" && !audienceHas(c.Aud, v.Audience):
		return nil, errTokenAudience
	case c.Jti != nil && (*c.Jti == "" || len(*c.Jti) > foreignNameMax || cutText(*c.Jti, foreignNameMax) != *c.Jti):
		return nil, wrongClaim("jti")
	}
	id, err := v.Identity(raw)
	if id.AuthTime.IsZero() {
		id.AuthTime = auth
	}
	if err == nil {
		err = id.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errForeignIdentity, err)
	}
	k := &known{
		principal: &Principal{
			UserID:    id.UserID,
			Scopes:    id.Scopes,
			Roles:     id.Roles,
			AMR:       id.AMR,
			AuthTime:  id.AuthTime,
			IssuedAt:  issued,
			ExpiresAt: expires,
			claims:    raw,
		},
		issuedAt: issued,
		from:     latest(issued, since),
		until:    expires.Add(v.leeway),
		identity: id,
	}
	if !k.from.IsZero() {
		k.from = k.from.Add(-v.leeway)
	}
	if c.Jti != nil {
		k.principal.TokenID, k.jti = *c.Jti, jtiKey(foreignName(id.UserID, *c.Jti))
	}
	return k, nil
}

const foreignNameMax = 255 // bytes of a "jti"

// foreignName is how the feed calls a foreign token: nobody else promises that
// two users' tokens never have the same "jti".
func foreignName(userID, jti string) string {
	sum := sha256.Sum256([]byte(userID + "\x00" + jti))
	return "foreign:" + base64JWK(sum[:])
}

// foreignDateMax leaves room for what is added to a time before it is written.
const foreignDateMax = secondsMax - 86400

// numericDate reads a NumericDate (RFC 7519 section 2), to the second below;
// zero if there is none, or it is 0.
func numericDate(seconds *float64, name string) (time.Time, error) {
	if seconds == nil {
		return time.Time{}, nil
	}
	switch s := *seconds; {
	case s == 0: // as some write "not said"
		return time.Time{}, nil
	case !(s >= 1 && s <= secondsMax):
		return time.Time{}, wrongClaim(name)
	default:
		return time.Unix(int64(math.Floor(min(s, foreignDateMax))), 0).UTC(), nil
	}
}

// audienceHas reports whether "aud", one string or several, has a value (RFC
// 7519 section 4.1.3).
func audienceHas(aud jsontext.Value, want string) bool {
	var one string
	if json.Unmarshal(aud, &one) == nil {
		return one == want
	}
	var several []string
	return json.Unmarshal(aud, &several) == nil && slices.Contains(several, want)
}

// verifyAny is verify for signatures that somebody else made: of the two that
// ECDSA has, either. Nothing goes by a foreign token's text.
func (k *ringKey) verifyAny(text string, sig []byte) error {
	if len(sig) != k.signature {
		return errTokenSignature
	}
	return k.method.Verify(text, sig, k.verifier)
}

// owns reports whether a token says in its header that it is of this Auth.
func (v accessVerifier) owns(token string) bool {
	header, _, _ := strings.Cut(token, ".")
	_, err := v.ring.keyFor(header)
	return err == nil
}
