package alike

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// book has the values that one server has made up. Each gets a name by its first
// appearance, and one value has one name: so an answer with the id of another
// session reads differently, and one with an id of its own does not.
type book struct {
	secret []byte            // the key of access tokens
	names  map[string]string // by value
	count  map[string]int    // by kind
	issued map[int]*issued   // by the id of the request that was answered
	asked  []window          // when each request was under way
	began  time.Time
}

// issued is what an answer handed out.
type issued struct{ access, refresh, device, session, pending, secret string }

func newBook(secret []byte) *book {
	return &book{secret: secret, names: make(map[string]string), count: make(map[string]int), issued: make(map[int]*issued), began: time.Now()}
}

// name returns a value's name, and whether it is new.
func (b *book) name(kind, value string) (name string, first bool) {
	if known := b.names[value]; known != "" {
		return known, false
	}
	b.count[kind]++
	name = fmt.Sprintf("%s#%d", kind, b.count[kind])
	b.names[value] = name
	return name, true
}

// learn keeps what an answer handed out, for later requests to refer to. What it
// left out stands as it was handed out to the request before.
func (b *book) learn(r *request, a *answer) {
	before := b.issued[r.after]
	if before != nil {
		b.issued[r.id] = before
	}
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Pending string `json:"pending"`
		Secret  string `json:"secret"`
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
	}
	if json.Unmarshal([]byte(a.body), &pair) != nil || pair.Access+pair.Pending+pair.Secret == "" {
		return
	}
	got := issued{access: pair.Access, refresh: pair.Refresh, session: pair.Session.ID, pending: pair.Pending, secret: pair.Secret}
	for _, h := range a.headers {
		if !strings.EqualFold(h.name, "Set-Cookie") {
			continue
		}
		_, value, _ := strings.Cut(h.value, "=")
		value, _, _ = strings.Cut(value, ";")
		switch {
		case strings.HasPrefix(value, "sprt_"):
			got.refresh = value
		case strings.HasPrefix(value, "spdt_"):
			got.device = value
		}
	}
	if before != nil {
		got.refresh = cmp.Or(got.refresh, before.refresh)
		got.device = cmp.Or(got.device, before.device)
	}
	b.issued[r.id] = &got
}

// value returns what a reference stands for.
func (b *book) value(what string, id int, bent string) string {
	got := b.issued[id]
	if got == nil {
		got = new(issued)
	}
	if what == "code" {
		return b.code(got.secret, bent)
	}
	value := map[string]string{"access": got.access, "refresh": got.refresh, "device": got.device, "session": got.session, "pending": got.pending}[what]
	if value == "" {
		return "nothing-" + what
	}
	switch bent {
	case "flipped": // another character in the middle of the last part
		i := len(value) - 12
		other := byte('A')
		if value[i] == other {
			other = 'B'
		}
		return value[:i] + string(other) + value[i+1:]
	case "cut":
		return value[:len(value)-5]
	case "upper":
		return strings.ToUpper(value)
	case "longer":
		return value + "AAAA"
	case "expired", "future", "foreign", "unsigned":
		if what == "access" {
			return b.bendClaims(value, bent)
		}
	}
	return value
}

// code is what an authenticator app with a secret shows: in the time step in which the
// book began, or so many steps later. It is good for as long as a short sequence takes.
func (b *book) code(secret, later string) string {
	n, err := strconv.Atoi(later)
	code, wrong := totp.GenerateCode(secret, b.began.Add(time.Duration(n)*30*time.Second))
	if err != nil || wrong != nil {
		return "nothing-code"
	}
	return code
}

// bendClaims returns an access token that says something else, signed again.
func (b *book) bendClaims(token, bent string) string {
	parts := strings.Split(token, ".")
	head, payload := parts[0], fromBase64(parts[1])
	claim := func(name string, of func(string) string) {
		re := regexp.MustCompile(`"` + name + `":("[^"]*"|\d+)`)
		payload = re.ReplaceAllStringFunc(payload, of)
	}
	switch bent {
	case "expired":
		claim("iat", func(string) string { return `"iat":1700000000` })
		claim("exp", func(string) string { return `"exp":1700003600` })
	case "future":
		claim("iat", func(string) string { return `"iat":4000000000` })
		claim("exp", func(string) string { return `"exp":4000003600` })
	case "foreign":
		claim("aud", func(string) string { return `"aud":"somebody-else"` })
	case "unsigned":
		head = toBase64(`{"alg":"none","typ":"at+jwt"}`)
	}
	text := head + "." + toBase64(payload)
	if bent == "unsigned" {
		return text + "."
	}
	mac := hmac.New(sha256.New, b.secret)
	mac.Write([]byte(text))
	return text + "." + toBase64(string(mac.Sum(nil)))
}

// made finds what a server makes up, and times.
var made = regexp.MustCompile(`(?P<access>eyJ[\w-]+\.[\w-]+\.[\w-]+)` +
	`|(?P<refresh>\bsprt_[\w-]+)|(?P<device>\bspdt_[\w-]+)|(?P<pending>\bsppt_[\w-]+)` +
	`|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)` +
	`|"(?P<member>iat|exp|auth_time|expires_in|refresh_expires_in|feed_age_ms)":(?P<number>\d+)` +
	`|(?P<hash>\b[0-9a-f]{16}\b)|(?P<id>\b[a-z2-7]{26}\b)|(?P<secret>\b[A-Z2-7]{32}\b)`)

// page is text with names in the place of what a server made up. What the tokens
// in it say follows in notes, where they appear first.
type page struct {
	text    string
	notes   []string
	moments []moments // of each time in text and notes
}

// read gives everything in a text its name.
func (b *book) read(text string) page {
	var p page
	p.text = b.readInto(&p, text)
	return p
}

func (b *book) readInto(p *page, text string) string {
	var out strings.Builder
	for {
		m := made.FindStringSubmatchIndex(text)
		if m == nil {
			return out.String() + text
		}
		out.WriteString(text[:m[0]])
		part := func(group string) string {
			if i := 2 * made.SubexpIndex(group); m[i] >= 0 {
				return text[m[i]:m[i+1]]
			}
			return ""
		}
		out.WriteString(b.nameOf(p, part))
		text = text[m[1]:]
	}
}

func (b *book) nameOf(p *page, part func(group string) string) string {
	for kind, says := range map[string]func(*page, string) string{"access": b.accessSays, "refresh": b.refreshSays, "device": b.deviceSays, "pending": b.pendingSays} {
		if token := part(kind); token != "" {
			name, first := b.name(kind, token)
			if first {
				p.notes = append(p.notes, name+": "+says(p, token))
			}
			return name
		}
	}
	if text := part("time"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || t.IsZero() {
			return text
		}
		return p.moment(b.when(t))
	}
	switch member, n := part("member"), part("number"); member {
	case "":
	case "feed_age_ms":
		return `"feed_age_ms":(a number)`
	case "expires_in", "refresh_expires_in":
		return `"` + member + `":` + p.moment(b.whenLeft(n))
	default:
		return `"` + member + `":` + p.moment(b.whenSeconds(n))
	}
	if hash := part("hash"); hash != "" {
		name, _ := b.name("hash", hash) // of a token that was seen: its name
		return name
	}
	if secret := part("secret"); secret != "" {
		name, _ := b.name("secret", secret)
		return name
	}
	name, _ := b.name("id", part("id"))
	return name
}

// moment notes what a time may be and leaves a mark in the text.
func (p *page) moment(m moments) string {
	p.moments = append(p.moments, m)
	return "(a time)"
}

func (b *book) accessSays(p *page, token string) string {
	parts := strings.Split(token, ".")
	payload := fromBase64(parts[1])
	var claims struct {
		ID string `json:"jti"`
	}
	if err := json.Unmarshal([]byte(payload), &claims); err != nil {
		return "no claims: " + payload
	}
	says := fromBase64(parts[0]) + b.readInto(p, payload)
	b.names[hashOf(claims.ID)] = "the hash of " + b.names[claims.ID]
	return says
}

// hashOf is the short hash of an access token's id.
func hashOf(jti string) string {
	sum := sha256.Sum256([]byte(jti))
	return hex.EncodeToString(sum[:8])
}

const macSize = 32 // of tokens that are no JWT

func (b *book) refreshSays(p *page, token string) string {
	raw := fromBase64(strings.TrimPrefix(token, "sprt_"))
	if len(raw) < 5+16+macSize {
		return fmt.Sprintf("%q", raw)
	}
	gen, n := binary.Uvarint([]byte(raw[21:]))
	return fmt.Sprintf("%x, session %s, generation %d, user %q", raw[:5], b.readInto(p, idText([]byte(raw[5:21]))), gen, raw[21+max(n, 0):len(raw)-macSize])
}

func (b *book) pendingSays(p *page, token string) string {
	raw := fromBase64(strings.TrimPrefix(token, "sppt_"))
	if len(raw) < 5+16+tagSize+macSize {
		return fmt.Sprintf("%q", raw)
	}
	account := ""
	for id := range b.names { // one of them is the device's
		if name, known := accountOf(id, raw[21:21+tagSize]); known {
			account = name
		}
	}
	return fmt.Sprintf("%x, waiting %s, account %q, user %q", raw[:5], b.readInto(p, idText([]byte(raw[5:21]))), account, raw[21+tagSize:len(raw)-macSize])
}

func (b *book) deviceSays(p *page, token string) string {
	raw := fromBase64(strings.TrimPrefix(token, "spdt_"))
	if len(raw) < 6+macSize {
		return fmt.Sprintf("%q", raw)
	}
	word, accounts := raw[6:len(raw)-macSize], ""
	if raw[5] == 1 && len(word) >= 16 {
		id := idText([]byte(word[:16]))
		word, accounts = id, accountsIn(id, word[16:])
	}
	return fmt.Sprintf("%x, device %q%s", raw[:6], b.readInto(p, word), accounts)
}

// tagSize is the length of what a token says of an account.
const tagSize = 8

// accountOf returns whose account a tag is, in a token of a device.
func accountOf(device, tag string) (name string, known bool) {
	for user := range passwords {
		sum := sha256.Sum256([]byte("account\x00" + device + "\x00" + user + "\x00"))
		if string(sum[:tagSize]) == tag {
			return user, true
		}
	}
	return fmt.Sprintf("%x", tag), false
}

// accountsIn names the accounts that a device's token remembers.
func accountsIn(device, tags string) string {
	var out strings.Builder
	for ; len(tags) >= tagSize; tags = tags[tagSize:] {
		name, _ := accountOf(device, tags[:tagSize])
		out.WriteString(", knows " + name)
	}
	return out.String()
}

func idText(id []byte) string {
	return base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(id)
}

func toBase64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func fromBase64(s string) string {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return "(no base64url) " + s
	}
	return string(raw)
}
