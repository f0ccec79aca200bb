package adaptertest

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport-go/sallyport/core"
)

// dirt is nobody's text.
var dirt = strings.Repeat("#", 400)

// textMax is how long a user's texts of a kind get beyond their mark.
var textMax = map[string]int{"agent": 180, "device": 80, "name": 80, "type": 12, "user": 60, "login": 40, "scope": 20, "claim": 60}

// textOf is the n-th text of a kind that a user sends. It shows whose it is, and
// that it is whole; n also says how long it is.
func textOf(kind string, user, n int) string {
	letter := string(rune('a' + (user+n)%26))
	return fmt.Sprintf("%s-%03d-%d-%s", kind, user, n, strings.Repeat(letter, n%textMax[kind]))
}

// ownerOf returns whose text that is, if it is one.
func ownerOf(text string) (user int, ok bool) {
	parts := strings.SplitN(text, "-", 4)
	if len(parts) != 4 || textMax[parts[0]] == 0 {
		return 0, false
	}
	user, err := strconv.Atoi(parts[1])
	n, err2 := strconv.Atoi(parts[2])
	if err != nil || err2 != nil || user < 0 || n < 0 {
		return 0, false
	}
	whole := textOf(parts[0], user, n)
	const cut = 64 // what is read from a User-Agent is no longer
	return user, text == whole || parts[0] == "agent" && len(text) == cut && strings.HasPrefix(whole, text)
}

// addrOf is the n-th address that a user comes from.
func addrOf(user, n int) string {
	return netip.AddrFrom4([4]byte{10, byte(user), byte(n >> 8), byte(n)}).String()
}

func ownerOfAddr(text string) (user int, ok bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() || addr.As4()[0] != 10 {
		return 0, false
	}
	return int(addr.As4()[1]), true
}

// soakUser is a user, and what its client knows of it. Only the client whose it
// is looks at what changes.
type soakUser struct {
	n        int
	id       string
	username string
	password string
	scope    string
	claim    string
	admin    bool

	live   []*stay
	dead   string // an access token of a session that has ended
	cookie string // the device cookie, as it is sent back; "": none yet
	device string // what it names

	busy bool // it has a request under way
	out  bool // something of it was mixed up: nothing more is to be learnt from it
}

// stay is a session as its client knows it.
type stay struct {
	id       string
	device   string
	name     string
	foreign  bool   // begun by a token of the app's own, which says less
	kind     string // client type
	agent    string
	ip       string
	access   string // "": none yet
	refresh  string
	inCookie bool
}

// newUser adds a user; the last two letters of some are sent percent-encoded.
func (s *soak) newUser(admin bool) *soakUser {
	n := len(s.users)
	u := &soakUser{
		n: n, id: textOf("user", n, 7*n), username: textOf("login", n, 3*n), password: rand.Text(),
		scope: textOf("scope", n, n), claim: textOf("claim", n, 5*n), admin: admin,
	}
	if n%3 == 1 {
		u.id += " \u00e9"
	}
	s.users = append(s.users, u)
	s.byID[u.id] = u
	return u
}

// identity is what the app knows of a user.
func (u *soakUser) identity() core.Identity {
	id := core.Identity{UserID: u.id, Scopes: []string{u.scope}, Claims: soakClaims{u.claim}}
	if u.admin {
		id.Roles = []string{"admin"}
	}
	return id
}

type soakClaims struct {
	Claim string `json:"claim"`
}

// keepsAll is a user whose sessions are never revoked as a whole.
func (u *soakUser) keepsAll() bool { return u.n%4 == 0 }

func (u *soakUser) stay(id string) *stay {
	if i := slices.IndexFunc(u.live, func(st *stay) bool { return st.id == id }); i >= 0 {
		return u.live[i]
	}
	return nil
}

// ended takes note of the end of sessions.
func (u *soakUser) ended(stays ...*stay) {
	stays = slices.Clone(stays) // which may be u.live
	for _, st := range stays {
		if st.access != "" {
			u.dead = st.access
		}
	}
	u.live = slices.DeleteFunc(u.live, func(st *stay) bool { return slices.Contains(stays, st) })
}

// others are a user's sessions but one.
func (u *soakUser) others(but *stay) []*stay {
	return slices.DeleteFunc(slices.Clone(u.live), func(st *stay) bool { return st == but })
}
