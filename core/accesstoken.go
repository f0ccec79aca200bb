package core

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// accessClaims are what an access token says.
type accessClaims struct {
	Issuer    string    // iss
	Audience  string    // aud, a single string
	Subject   string    // sub: the user id
	IssuedAt  time.Time // iat, exp, auth_time: in whole seconds, UTC
	ExpiresAt time.Time
	AuthTime  time.Time

	ID      ID     // jti
	Session ID     // sid
	Serial  uint64 // ser, see Session.Serial; below AllSerials

	Device     string // did, left out when ""
	DeviceType string // dtp, likewise
	ClientType string // ct, likewise

	Scopes []string // scope, separated by spaces (RFC 8693 section 4.2); left out when there is none
	Roles  []string // roles (RFC 9068 section 2.2.3.1), likewise
	AMR    []string // amr (RFC 8176), likewise

	App []byte // the app's own, see checkAppClaims; they are members of their own in the token
}

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
	if len(token) > accessTokenMax {
		return nil, errTokenLong
	}
	header, rest, ok1 := strings.Cut(token, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || !inBase64(header) || !inBase64(payload) || !inBase64(signature) { // "." is not in it
		return nil, errTokenForm
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

// encode returns the payload, which decode reads.
func (c *accessClaims) encode() ([]byte, error) {
	app, err := checkAppClaims(c.App)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("sallyport: %w", err)
	}
	w := claimWriter{b: make([]byte, 0, 512+len(app))}
	w.text("iss", c.Issuer)
	w.text("aud", c.Audience)
	w.text("sub", c.Subject)
	w.number("iat", uint64(c.IssuedAt.Unix()))
	w.number("exp", uint64(c.ExpiresAt.Unix()))
	w.number("auth_time", uint64(c.AuthTime.Unix()))
	w.text("jti", c.ID.String())
	w.text("sid", c.Session.String())
	w.number("ser", c.Serial)
	w.text("did", c.Device)
	w.text("dtp", c.DeviceType)
	w.text("ct", c.ClientType)
	w.text("scope", strings.Join(c.Scopes, " "))
	w.texts("roles", c.Roles)
	w.texts("amr", c.AMR)
	if app != nil {
		w.b = append(append(w.b, app[1:len(app)-1]...), ',')
	}
	if w.err != nil {
		return nil, fmt.Errorf("sallyport: access token: %w", w.err)
	}
	w.b[0], w.b[len(w.b)-1] = '{', '}'

	// The serial is counted at full length: it grows while a session lasts.
	if n := len(w.b) + 19 - decimals(c.Serial); n > accessPayloadMax {
		return nil, fmt.Errorf("sallyport: the claims of an access token take %d bytes, at most %d are possible: fewer scopes, roles or claims of the app", n, accessPayloadMax)
	}
	return w.b, nil
}

func decimals(n uint64) int { return len(strconv.AppendUint(make([]byte, 0, 20), n, 10)) }

// claimWriter writes members, each with a comma after it. The first byte is
// for the brace.
type claimWriter struct {
	b   []byte
	err error
}

func (w *claimWriter) name(name string) {
	if len(w.b) == 0 {
		w.b = append(w.b, '{')
	}
	w.b = append(append(append(w.b, '"'), name...), '"', ':')
}

func (w *claimWriter) string(s string) {
	b, err := jsontext.AppendQuote(w.b, s)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.b = append(b, ',')
}

func (w *claimWriter) text(name, s string) {
	if s != "" {
		w.name(name)
		w.string(s)
	}
}

func (w *claimWriter) texts(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
	for _, s := range list {
		w.string(s)
	}
	w.b[len(w.b)-1] = ']'
	w.b = append(w.b, ',')
}

func (w *claimWriter) number(name string, n uint64) {
	w.name(name)
	w.b = append(strconv.AppendUint(w.b, n, 10), ',')
}

// decode reads what encode wrote: every claim of ours at most once, in the one
// form that it has, and in its range; every other member is the app's.
func (c *accessClaims) decode(raw []byte) error {
	r := claimReader{c: c}
	if err := json.Unmarshal(raw, &r); err != nil {
		if r.reason != nil {
			return r.reason
		}
		return errTokenPayload
	}
	app, err := checkAppClaims(r.app)
	if err != nil {
		return fmt.Errorf("%w: %w", errTokenClaim, err)
	}
	c.App = app
	return c.check()
}

// claimReader reads members. Its reason is set unless it is the JSON that is
// wrong.
type claimReader struct {
	c      *accessClaims
	app    []byte
	reason error
}

// UnmarshalJSONFrom keeps to the Decoder's defaults: no duplicate names, no bad
// UTF-8.
func (r *claimReader) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return errTokenPayload
	}
	c := r.c
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		switch string(name) {
		case `"iss"`:
			err = r.text(dec, "iss", &c.Issuer)
		case `"aud"`:
			err = r.text(dec, "aud", &c.Audience)
		case `"sub"`:
			err = r.text(dec, "sub", &c.Subject)
		case `"iat"`:
			err = r.time(dec, "iat", &c.IssuedAt)
		case `"exp"`:
			err = r.time(dec, "exp", &c.ExpiresAt)
		case `"auth_time"`:
			err = r.time(dec, "auth_time", &c.AuthTime)
		case `"jti"`:
			err = r.id(dec, "jti", &c.ID)
		case `"sid"`:
			err = r.id(dec, "sid", &c.Session)
		case `"ser"`:
			err = r.number(dec, "ser", &c.Serial)
		case `"did"`:
			err = r.text(dec, "did", &c.Device)
		case `"dtp"`:
			err = r.text(dec, "dtp", &c.DeviceType)
		case `"ct"`:
			err = r.text(dec, "ct", &c.ClientType)
		case `"scope"`:
			var scope string
			err = r.text(dec, "scope", &scope)
			c.Scopes = strings.Split(scope, " ")
		case `"roles"`:
			err = r.texts(dec, "roles", &c.Roles)
		case `"amr"`:
			err = r.texts(dec, "amr", &c.AMR)
		default:
			err = r.member(dec, name)
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	if err == nil && r.app != nil {
		r.app = append(r.app, '}')
	}
	return err
}

func (r *claimReader) wrong(name string) error {
	r.reason = wrongClaim(name)
	return r.reason
}

func wrongClaim(name string) error { return fmt.Errorf("%w: %s", errTokenClaim, name) }

func (r *claimReader) text(dec *jsontext.Decoder, name string, to *string) error {
	t, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '"' {
		return r.wrong(name)
	}
	if *to = t.String(); *to == "" {
		return r.wrong(name)
	}
	return nil
}

func (r *claimReader) texts(dec *jsontext.Decoder, name string, to *[]string) error {
	if t, err := dec.ReadToken(); err != nil {
		return err
	} else if t.Kind() != '[' {
		return r.wrong(name)
	}
	for dec.PeekKind() == '"' {
		var s string
		if err := r.text(dec, name, &s); err != nil {
			return err
		}
		*to = append(*to, s)
	}
	t, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != ']' || *to == nil {
		return r.wrong(name)
	}
	return nil
}

func (r *claimReader) id(dec *jsontext.Decoder, name string, to *ID) error {
	var s string
	if err := r.text(dec, name, &s); err != nil {
		return err
	}
	id, err := ParseID(s)
	if err != nil {
		return r.wrong(name)
	}
	*to = id
	return nil
}

// number reads a JSON number without sign, fraction and exponent.
func (r *claimReader) number(dec *jsontext.Decoder, name string, to *uint64) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil {
		return r.wrong(name)
	}
	*to = n
	return nil
}

func (r *claimReader) time(dec *jsontext.Decoder, name string, to *time.Time) error {
	var n uint64
	if err := r.number(dec, name, &n); err != nil {
		return err
	}
	if n > secondsMax {
		return r.wrong(name)
	}
	*to = time.Unix(int64(n), 0).UTC()
	return nil
}

// member keeps a member of the app's as it stands.
func (r *claimReader) member(dec *jsontext.Decoder, name jsontext.Value) error {
	between := byte(',')
	if r.app == nil {
		between = '{'
	}
	r.app = append(append(append(r.app, between), name...), ':')
	v, err := dec.ReadValue()
	r.app = append(r.app, v...)
	return err
}

const secondsMax = 253402300799 // the end of the year 9999, as far as RFC 3339 goes

// check returns what no token says.
func (c *accessClaims) check() error {
	inRange := func(t time.Time) bool { return t.Unix() > 0 && t.Unix() <= secondsMax }
	switch {
	case c.Issuer == "":
		return wrongClaim("iss")
	case c.Audience == "":
		return wrongClaim("aud")
	case checkUserID(c.Subject) != nil:
		return wrongClaim("sub")
	case !inRange(c.IssuedAt):
		return wrongClaim("iat")
	case !inRange(c.ExpiresAt):
		return wrongClaim("exp")
	case !inRange(c.AuthTime):
		return wrongClaim("auth_time")
	case c.ID.IsZero():
		return wrongClaim("jti")
	case c.Session.IsZero():
		return wrongClaim("sid")
	case c.Serial == 0 || c.Serial >= AllSerials:
		return wrongClaim("ser")
	}
	for _, s := range c.Scopes {
		if !validScope(s) {
			return wrongClaim("scope")
		}
	}
	for _, s := range c.Roles {
		if s == "" {
			return wrongClaim("roles")
		}
	}
	for _, s := range c.AMR {
		if s == "" {
			return wrongClaim("amr")
		}
	}
	return nil
}

// validScope reports whether s is a scope-token (RFC 6749 section 3.3).
func validScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
