package nethttpauth_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// waiting checks what a sign-in that waits for a second factor says beside the refusal,
// and returns the refusal: a pending, for five minutes, and the device's cookie alone.
func (a answer) waiting() answer {
	a.t.Helper()
	var p struct {
		Pending   string
		ExpiresIn int `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("%s: %s: %v", a.asked, a.body, err)
	}
	more := fmt.Sprintf(`,"pending":%q,"expires_in":300}`, p.Pending)
	if !strings.HasPrefix(p.Pending, "sppt_") || !strings.HasSuffix(a.body, more+"\n") || a.cookie("device") == "" || len(a.header.Values("Set-Cookie")) != 1 {
		a.t.Errorf("%s: got %v %s", a.asked, a.header, a.body)
	}
	a.body = strings.TrimSuffix(a.body, more+"\n") + "}\n"
	return a.withoutCookies()
}

// withoutCookies returns the answer as if it set none.
func (a answer) withoutCookies() answer {
	a.header = a.header.Clone()
	a.header.Del("Set-Cookie")
	return a
}
