package alike

import (
	"maps"
	"testing"
)

// A sign-in with a second factor, from the first code on, with a cookie and without.
// It needs codes that are right, and no sequence made up at random has one.
func TestSecondFactor(t *testing.T) {
	var list []*request
	post := func(target, body string, headers ...string) (id int) {
		id = len(list) + 1
		lines := append([]string{"Host: " + host, "Content-Type: application/json"}, headers...)
		list = append(list, &request{id: id, kind: target, method: "POST", target: target, version: "HTTP/1.1", headers: lines, body: body, framing: "length"})
		return id
	}
	login := func(user, more string) int {
		return post(auth+"/login", `{"username":"`+user+`","password":"`+passwords[user]+`"`+more+`}`)
	}
	stepUp := func(pending, enrolled int, later, more string, headers ...string) int {
		return post(auth+"/step-up", `{"pending":"`+ref("pending", pending, "")+`","code":"`+ref("code", enrolled, later)+`"`+more+`}`, headers...)
	}
	device := func(id int) string { return "Cookie: device=" + ref("device", id, "") }
	bearer := func(id int) string { return "Authorization: Bearer " + ref("access", id, "") }
	for user, native := range map[string]string{"alice": "", "bob": `,"delivery":"body","device_id":"phone-1"`} {
		began := login(user, "")                                                                 // 200
		enrolled := post("/api/v1/totp/enroll", "", bearer(began))                               // 200
		post("/api/v1/totp/confirm", `{"code":"`+ref("code", enrolled, "0")+`"}`, bearer(began)) // 200
		post("/api/v1/totp/enroll", "", bearer(began))                                           // 409
		waits := login(user, native)                                                             // 401
		cookie := device(waits)
		if native != "" {
			cookie = "X-Nothing: x"
		}
		stepUp(waits, enrolled, "0", native, cookie)        // 401: used up
		in := stepUp(waits, enrolled, "1", native, cookie)  // 200
		stepUp(waits, enrolled, "1", native, cookie)        // 401: it waits no longer
		post("/api/v1/password", `{"old":"x"}`, bearer(in)) // 400: but let in
	}
	x := &run{dir: build(t), secret: newSecret()}
	sum := newTally()
	found, err := x.play(t.Context(), t, profiles[0], list, sum)
	if err != nil {
		t.Fatal(err)
	}
	if found != nil {
		t.Errorf("the answers differ\n%s%v", show(list[:found.at+1]), found)
	}
	if want := map[int]int{200: 8, 400: 2, 401: 6, 409: 2}; !maps.Equal(sum.statuses, want) {
		t.Errorf("got %v, want %v, by status", sum.statuses, want)
	}
}
