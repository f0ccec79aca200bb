package adaptertest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// present shows an access token, as a bearer or in the cookie.
func (c *soakClient) present(u *soakUser, token string) []string {
	_, _, lines := c.from(u)
	if c.rand.IntN(3) == 0 {
		return append(lines, "Cookie: x=1; access="+token)
	}
	return append(lines, "Authorization: Bearer "+token)
}

// me asks a guarded route of the app's.
func (c *soakClient) me(u *soakUser, st *stay) exchange {
	method := []string{"GET", "POST"}[c.rand.IntN(2)]
	return exchange{c.send(method, "/me", nil, c.present(u, st.access)...), []*soakUser{u}, func(a *seenAnswer) { a.principal(u, st) }}
}

// hello asks the one that anybody may ask, with a token or without.
func (c *soakClient) hello(u *soakUser) exchange {
	st := u.live[0]
	if st.access == "" || c.rand.IntN(2) == 0 {
		_, _, lines := c.from(u)
		return exchange{c.send("GET", "/hello", nil, lines...), []*soakUser{u}, func(a *seenAnswer) { a.principal(u, nil) }}
	}
	return exchange{c.send("GET", "/hello", nil, c.present(u, st.access)...), []*soakUser{u}, func(a *seenAnswer) { a.principal(u, st) }}
}

// principal says whom a handler of the app's saw; st nil: nobody.
func (a *seenAnswer) principal(u *soakUser, st *stay) {
	want := shownPrincipal{Same: true}
	if st != nil {
		want = shownPrincipal{true, u.id, st.id, st.device, st.kind, []string{u.scope}, u.claim}
		if st.foreign {
			want.Claim = ""
		}
	}
	text, _ := json.Marshal(want)
	if a.want(200) {
		a.same(mixedPrincipals, "the principal", a.body, string(text))
	}
}

// late presents the token of a session that has ended.
func (c *soakClient) late(u *soakUser) exchange {
	target := []string{"/me", "/hello", "/auth/sessions"}[c.rand.IntN(3)]
	return exchange{c.send("GET", target, nil, c.present(u, u.dead)...), []*soakUser{u}, func(a *seenAnswer) {
		if a.status == 200 {
			a.wrong(mixedPrincipals, "with a token of a session that has ended: got 200 %s, want 401", clip(a.body))
		}
		a.want(401)
	}}
}

// list asks for a user's sessions.
func (c *soakClient) list(u *soakUser, st *stay) exchange {
	return exchange{c.send("GET", "/auth/sessions", nil, c.present(u, st.access)...), []*soakUser{u}, func(a *seenAnswer) {
		var got struct {
			Sessions []shownSession `json:"sessions"`
		}
		if a.want(200) && a.into(&got) {
			a.all(u, got.Sessions, st)
		}
	}}
}

// all says that these are a user's sessions; asked is the one that asked, or nil.
func (a *seenAnswer) all(u *soakUser, sessions []shownSession, asked *stay) {
	a.same(mixedAnswers, "sessions", fmt.Sprint(len(sessions)), fmt.Sprint(len(u.live)))
	for _, got := range sessions {
		st := u.stay(got.ID)
		if st == nil {
			a.wrong(mixedAnswers, "session %s: got one of %q", got.ID, a.desk.store.holder(mustID(got.ID)))
			continue
		}
		a.session(&got, st, st == asked)
	}
}

// leave ends sessions, in one of the ways that there are.
func (c *soakClient) leave(u *soakUser) exchange {
	st := u.live[c.rand.IntN(len(u.live))]
	if st.access == "" {
		return c.logout(u, st)
	}
	other := u.live[c.rand.IntN(len(u.live))]
	roll := c.rand.IntN(10)
	if u.keepsAll() && roll > 6 {
		roll -= 4
	}
	var target string
	var body any
	end := []*stay{st}
	switch {
	case roll < 4:
		return c.logout(u, st)
	case roll < 6:
		target, body, end = "/auth/sessions/revoke", map[string]any{"session_id": other.id}, []*stay{other}
	case roll < 7:
		return c.endByAdmin(u, other)
	case roll < 8:
		target, end = "/auth/sessions/revoke-all", u.others(st)
	case roll < 9:
		target, end = "/auth/logout-all", u.live
	default:
		return c.logoutByAdmin(u)
	}
	return exchange{c.send("POST", target, body, c.present(u, st.access)...), []*soakUser{u}, func(a *seenAnswer) { a.revoked(u, end) }}
}

// logout ends a session by whichever token of its is at hand.
func (c *soakClient) logout(u *soakUser, st *stay) exchange {
	_, _, lines := c.from(u)
	var body any
	switch {
	case st.access != "" && c.rand.IntN(2) == 0:
		lines = append(lines, "Authorization: Bearer "+st.access)
	case st.inCookie:
		lines = append(lines, "Cookie: "+refreshCookie+"="+st.refresh)
	default:
		body = map[string]any{"refresh_token": st.refresh}
	}
	return exchange{c.send("POST", "/auth/logout", body, lines...), []*soakUser{u}, func(a *seenAnswer) {
		for _, set := range a.header.Values("Set-Cookie") {
			if !strings.HasPrefix(set, refreshCookie+"=;") {
				a.wrong(mixedCookies, "got cookie %s, want it deleted", clip(set))
			}
		}
		a.revoked(u, []*stay{st})
	}}
}

// revoked takes note of sessions that an answer says it ended.
func (a *seenAnswer) revoked(u *soakUser, end []*stay) {
	var got struct {
		Revoked int `json:"revoked"`
	}
	if a.want(200) && a.into(&got) {
		a.same(mixedAnswers, "revoked", fmt.Sprint(got.Revoked), fmt.Sprint(len(end)))
		u.ended(end...)
	}
}

// asRoot is a request of the client's administrator about a user.
func (c *soakClient) asRoot(u *soakUser, method, target string, body any, check func(a *seenAnswer)) exchange {
	return exchange{c.send(method, target, body, c.present(c.root, c.root.live[0].access)...), []*soakUser{u}, check}
}

// path is that of an admin route about a user.
func (u *soakUser) path(rest string) string { return "/admin/users/" + url.PathEscape(u.id) + rest }

func (c *soakClient) endByAdmin(u *soakUser, st *stay) exchange {
	return c.asRoot(u, "POST", "/admin/tokens/revoke", map[string]any{"user_id": u.id, "session_id": st.id},
		func(a *seenAnswer) { a.revoked(u, []*stay{st}) })
}

func (c *soakClient) logoutByAdmin(u *soakUser) exchange {
	return c.asRoot(u, "POST", u.path("/logout"), nil, func(a *seenAnswer) { a.revoked(u, u.live) })
}

// admin asks an admin route about a user.
func (c *soakClient) admin(u *soakUser, st *stay) exchange {
	switch c.rand.IntN(6) {
	case 0:
		return c.trim(u)
	case 1:
		return c.online(u)
	case 2:
		return c.asRoot(u, "GET", u.path("/token-count"), nil, func(a *seenAnswer) {
			var got struct {
				UserID     string `json:"user_id"`
				TokenCount int    `json:"token_count"`
			}
			if a.want(200) && a.into(&got) {
				a.same(mixedAnswers, "the user", got.UserID, u.id)
				a.same(mixedAnswers, "the count", fmt.Sprint(got.TokenCount), fmt.Sprint(len(u.live)))
			}
		})
	case 3:
		return c.asRoot(u, "GET", u.path("/tokens"), nil, func(a *seenAnswer) { a.tokens(u) })
	default:
		return c.asRoot(u, "POST", "/admin/tokens/lookup", map[string]any{"token": st.access}, func(a *seenAnswer) {
			var got struct {
				UserID  string       `json:"user_id"`
				Session shownSession `json:"session"`
			}
			if a.want(200) && a.into(&got) {
				a.same(mixedAnswers, "the user", got.UserID, u.id)
				a.session(&got.Session, st, false)
			}
		})
	}
}

// tokens looks at the list of a user's tokens.
func (a *seenAnswer) tokens(u *soakUser) {
	var got struct {
		UserID string `json:"user_id"`
		Tokens []struct {
			SessionID  string `json:"session_id"`
			ClientType string `json:"client_type"`
			DeviceID   string `json:"device_id"`
			DeviceName string `json:"device_name"`
		} `json:"tokens"`
	}
	if !a.want(200) || !a.into(&got) {
		return
	}
	a.same(mixedAnswers, "the user", got.UserID, u.id)
	a.same(mixedAnswers, "tokens", fmt.Sprint(len(got.Tokens)), fmt.Sprint(len(u.live)))
	for _, t := range got.Tokens {
		st := u.stay(t.SessionID)
		if st == nil {
			a.wrong(mixedAnswers, "session %s: got one of %q", t.SessionID, a.desk.store.holder(mustID(t.SessionID)))
			continue
		}
		a.same(mixedAnswers, "the device", t.DeviceID, st.device)
		a.same(mixedAnswers, "the device's name", t.DeviceName, st.name)
		a.same(mixedAnswers, "the client type", t.ClientType, st.kind)
	}
}

// trim leaves the newest sessions. Of those that began in the same millisecond
// it can't be told from here which those are.
func (c *soakClient) trim(u *soakUser) exchange {
	keep := 1 + c.rand.IntN(len(u.live))
	return c.asRoot(u, "POST", u.path("/trim"), map[string]any{"keep": keep}, func(a *seenAnswer) {
		left, err := a.desk.auth.Sessions(a.ctx, u.id)
		if err != nil {
			a.fatalf("Sessions: %v", err)
		}
		end := u.others(nil)
		for _, s := range left {
			for i, st := range end {
				if st.id == s.ID.String() {
					end = append(end[:i], end[i+1:]...)
					break
				}
			}
		}
		a.same(mixedAnswers, "left after trim", fmt.Sprint(len(left)), fmt.Sprint(keep))
		a.revoked(u, end)
	})
}

// online asks for several users at once, of whom none has anything under way.
func (c *soakClient) online(u *soakUser) exchange {
	about, ids := []*soakUser{u}, []string{u.id}
	if other := c.pick(); other != nil && other != u {
		about, ids = append(about, other), append(ids, other.id)
	}
	x := c.asRoot(u, "POST", "/admin/online", map[string]any{"user_ids": ids}, func(a *seenAnswer) {
		var got struct {
			Users []struct {
				UserID   string         `json:"user_id"`
				Sessions []shownSession `json:"sessions"`
			} `json:"users"`
		}
		if !a.want(200) || !a.into(&got) {
			return
		}
		for _, who := range got.Users {
			switch u := a.byID[who.UserID]; {
			case len(about) > 0 && u == about[0]:
				a.all(u, who.Sessions, nil)
			case len(about) > 1 && u == about[1]:
				a.all(u, who.Sessions, nil)
			default:
				a.wrong(mixedAnswers, "got user %q, want one of %q", who.UserID, ids)
			}
		}
	})
	x.about = about
	return x
}
