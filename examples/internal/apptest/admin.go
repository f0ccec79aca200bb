package apptest

import "testing"

// adminRoutes are the routes that only an admin may call: the library's group,
// and the app's own beside it.
var adminRoutes = []struct{ method, path, body string }{
	{"GET", "/api/v1/admin/users/alice/tokens", ""},
	{"GET", "/api/v1/admin/users/alice/token-count", ""},
	{"POST", "/api/v1/admin/users/alice/logout", ""},
	{"POST", "/api/v1/admin/users/alice/trim", `{"keep":1}`},
	{"POST", "/api/v1/admin/tokens/revoke", `{"token":"x"}`},
	{"POST", "/api/v1/admin/tokens/lookup", `{"token":"x"}`},
	{"POST", "/api/v1/admin/online", `{"user_ids":["alice"]}`},
	{"POST", "/api/v1/admin/users/alice/active", `{"active":false}`},
}

// Nobody but an admin gets an answer there, and what is refused ends nothing.
func adminsOnly(t *testing.T, run Server) {
	s := start(t, run, nil)
	nobody, alice, elsewhere := s.browser(t), s.browser(t), s.browser(t)
	elsewhere.signIn("alice")
	alice.signIn("alice")
	for _, r := range adminRoutes {
		nobody.want(401, "TOKEN_MISSING", r.method, r.path, r.body)
		alice.want(403, "FORBIDDEN", r.method, r.path, r.body)
	}
	elsewhere.get(mePath)
	root := s.browser(t)
	root.signIn("root")
	root.equal("alice's sessions", root.get("/api/v1/admin/users/alice/token-count"), `{"token_count":2,"user_id":"alice"}`)
}

func adminSees(t *testing.T, run Server) {
	s := start(t, run, nil)
	phone, laptop, root := s.browser(t), s.browser(t), s.browser(t)
	native := phone.post("/api/v1/auth/login", `{"username":"alice","password":"correct-horse","delivery":"body","client_type":"ios","device_name":"phone"}`)
	phone.token = native["access_token"].(string)
	older := native["session"].(map[string]any)["id"].(string)
	newer := laptop.signIn("alice")
	root.signIn("root")

	out := root.get("/api/v1/admin/users/%61lice/tokens")
	if out["user_id"] != "alice" || out["count"] != 2.0 {
		t.Errorf("alice's tokens: got %v", out)
	}
	for i, want := range []struct{ session, client, device string }{{newer, "web", ""}, {older, "ios", "phone"}} {
		token := out["tokens"].([]any)[i].(map[string]any)
		if token["session_id"] != want.session || token["client_type"] != want.client || want.device != "" && token["device_name"] != want.device {
			t.Errorf("token %d: got %v, want %v", i, token, want)
		}
		if hash, _ := token["access_token_hash"].(string); len(hash) != 16 || token["is_expired"] != false {
			t.Errorf("token %d: got %v", i, token)
		}
	}
	root.equal("nobody's tokens", root.get("/api/v1/admin/users/nobody/tokens"), `{"count":0,"tokens":[],"user_id":"nobody"}`)
	root.equal("count", root.get("/api/v1/admin/users/alice/token-count"), `{"token_count":2,"user_id":"alice"}`)

	for _, token := range []string{phone.token, native["refresh_token"].(string)} {
		found := root.post("/api/v1/admin/tokens/lookup", `{"token":"`+token+`"}`)
		if session := found["session"].(map[string]any); found["user_id"] != "alice" || session["id"] != older {
			t.Errorf("lookup: got %v, want alice and %s", found, older)
		}
	}
	root.want(404, "TOKEN_NOT_FOUND", "POST", "/api/v1/admin/tokens/lookup", `{"token":"x"}`)

	users := root.post("/api/v1/admin/online", `{"user_ids":["bob","alice","nobody"]}`)["users"].([]any)
	if len(users) != 1 || users[0].(map[string]any)["user_id"] != "alice" || users[0].(map[string]any)["token_count"] != 2.0 {
		t.Errorf("who is online: got %v, want alice with two sessions", users)
	}
	root.want(400, "BAD_REQUEST", "POST", "/api/v1/admin/online", `{}`)
}

func adminEnds(t *testing.T, run Server) {
	s := start(t, run, nil)
	var alice [4]*browser
	var id [4]string
	for i := range alice {
		alice[i] = s.browser(t)
		id[i] = alice[i].signIn("alice")
	}
	bob, root := s.browser(t), s.browser(t)
	bob.signIn("bob")
	root.signIn("root")
	revoked := func(path, body, message string, n string) {
		t.Helper()
		root.equal(path, root.post("/api/v1/admin"+path, body), `{"message":"`+message+`","revoked":`+n+`}`)
	}

	revoked("/users/alice/trim", `{"keep":3}`, "older sessions revoked", "1")
	alice[0].want(401, "TOKEN_REVOKED", "GET", mePath, "")
	root.want(400, "BAD_REQUEST", "POST", "/api/v1/admin/users/alice/trim", `{"keep":0}`)

	// An access token alone: its session goes on with another one.
	token := `{"token":"` + alice[1].token + `"}`
	revoked("/tokens/revoke", token, "token revoked", "1")
	alice[1].want(401, "TOKEN_REVOKED", "GET", mePath, "")
	alice[1].token = ""
	alice[1].token = alice[1].post("/api/v1/auth/refresh", "")["access_token"].(string)
	alice[1].get(mePath)
	revoked("/tokens/revoke", token, "token revoked", "0")
	root.want(404, "TOKEN_NOT_FOUND", "POST", "/api/v1/admin/tokens/revoke", `{"token":"x"}`)

	session := `{"user_id":"alice","session_id":"` + id[2] + `"}`
	revoked("/tokens/revoke", session, "session revoked", "1")
	alice[2].want(401, "TOKEN_REVOKED", "GET", mePath, "")
	alice[2].want(401, "SESSION_ENDED", "POST", "/api/v1/auth/refresh", "")
	root.want(404, "SESSION_NOT_FOUND", "POST", "/api/v1/admin/tokens/revoke", session)

	revoked("/users/%61lice/logout", ``, "user signed out everywhere", "2")
	for _, b := range alice {
		b.want(401, "TOKEN_REVOKED", "GET", mePath, "")
	}
	revoked("/users/alice/logout", ``, "user signed out everywhere", "0")
	bob.get(mePath)
	root.get(mePath)
}
