package core

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
