package adaptertest

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// soakClient acts for users of its own, each of whom has at most one request
// under way: so it knows what every answer has to be.
type soakClient struct {
	*soak
	rand  *rand.Rand
	users []*soakUser
	root  *soakUser // its administrator
}

// client makes the i-th client and its users.
func (s *soak) client(i int) *soakClient {
	c := &soakClient{soak: s, rand: rand.New(rand.NewPCG(s.seed, uint64(i)))}
	for range soakUsers {
		c.users = append(c.users, s.newUser(false))
	}
	c.root = s.newUser(true)
	st := c.newStay(c.root)
	pair, err := s.desk.auth.SignIn(s.ctx, signInOf(c.root, st))
	if err != nil {
		s.fatalf("signing %s in: %v", c.root.id, err)
	}
	st.id, st.access = pair.Session.ID.String(), pair.AccessToken
	c.root.live = []*stay{st}
	return c
}

// exchange is a request, and what is said of its answer.
type exchange struct {
	raw   string
	about []*soakUser
	check func(a *seenAnswer)
}

// seenAnswer is an answer with what was asked.
type seenAnswer struct {
	answer
	*soak
	of exchange
}

// wrong records what is wrong with an answer. Of those whom it is about nothing
// more is known from here on.
func (a *seenAnswer) wrong(rule, format string, args ...any) {
	for _, u := range a.of.about {
		u.out = true
	}
	a.mix(rule, "%s, asked for %s: %s", line(a.of.raw), a.of.about[0].id, fmt.Sprintf(format, args...))
}

// want says which status an answer has.
func (a *seenAnswer) want(status int) bool {
	if a.status != status {
		a.wrong(mixedAnswers, "got %d %s, want %d", a.status, clip(a.body), status)
	}
	return a.status == status
}

// into reads a body that is JSON.
func (a *seenAnswer) into(v any) bool {
	err := json.Unmarshal([]byte(a.body), v)
	if err != nil {
		a.wrong(mixedAnswers, "got %s, want JSON", clip(a.body))
	}
	return err == nil
}

// same compares what an answer says with what it has to say.
func (a *seenAnswer) same(rule, what, got, want string) {
	if got != want {
		a.wrong(rule, "%s: got %s, want %s", what, clip(fmt.Sprintf("%q", got)), clip(fmt.Sprintf("%q", want)))
	}
}

func (c *soakClient) play() {
	for c.ctx.Err() == nil {
		n := c.take(1 + c.rand.IntN(5))
		if n == 0 || !c.burst(n) {
			return
		}
	}
}

// burst sends so many requests over one connection, without waiting for answers
// in between, and returns false if there is nobody left to send one for.
func (c *soakClient) burst(n int) bool {
	var all []exchange
	for range n {
		u := c.pick()
		if u == nil {
			c.left.Add(1) // for a later burst
			continue
		}
		x := c.next(u)
		for _, u := range x.about {
			u.busy = true
		}
		all = append(all, x)
	}
	c.exchangeAll(all)
	for _, x := range all {
		for _, u := range x.about {
			u.busy = false
			if !u.out {
				c.look(u, c.rand.IntN(8) == 0)
			}
		}
	}
	return len(all) > 0
}

// exchangeAll sends requests over a connection that is free.
func (c *soakClient) exchangeAll(all []exchange) {
	on := <-c.conns
	defer func() { c.conns <- on }() // nil: it has to be opened anew
	for len(all) > 0 {
		if on == nil {
			on = c.dial()
		}
		var last bool
		if all, last = c.exchange(on, all); last {
			on.Close()
			on = nil
		}
	}
}

// exchange sends requests and looks at the answers. It returns those that a
// server which closes the connection has not answered.
func (c *soakClient) exchange(on *conn, all []exchange) (left []exchange, last bool) {
	var raw strings.Builder
	for _, x := range all {
		raw.WriteString(x.raw)
	}
	cut := raw.Len()
	if c.rand.IntN(4) == 0 {
		cut = c.rand.IntN(raw.Len())
	}
	for _, part := range []string{raw.String()[:cut], raw.String()[cut:]} {
		io.WriteString(on, part) // if it fails, so does reading
	}
	for i, x := range all {
		method, _, _ := strings.Cut(x.raw, " ")
		got, err := on.read(method)
		a := &seenAnswer{answer: got, soak: c.soak, of: x}
		if err != nil {
			a.wrong(mixedAnswers, "no answer: %v", err)
			return all[i+1:], true
		}
		c.sent.Add(1)
		x.check(a)
		if a.last {
			return all[i+1:], true
		}
	}
	return nil, false
}

// pick returns one of the users who have nothing under way, or nil.
func (c *soakClient) pick() *soakUser {
	var free []*soakUser
	for _, u := range c.users {
		if !u.busy && !u.out {
			free = append(free, u)
		}
	}
	if free == nil {
		return nil
	}
	return free[c.rand.IntN(len(free))]
}

// next returns something that a user may do next.
func (c *soakClient) next(u *soakUser) exchange {
	roll := c.rand.IntN(100)
	switch {
	case len(u.live) == 0, roll < 15 && len(u.live) < 5:
		return c.enter(u)
	case len(u.live) >= 5, roll < 24:
		return c.leave(u)
	}
	st := u.live[c.rand.IntN(len(u.live))]
	if st.access == "" { // as after a watched login with a token of the app's own
		return c.refresh(u, st)
	}
	switch {
	case roll < 42:
		return c.refresh(u, st)
	case roll < 62:
		return c.me(u, st)
	case roll < 68:
		return c.hello(u)
	case roll < 76:
		return c.list(u, st)
	case roll < 90:
		return c.admin(u, st)
	case roll < 93 && u.dead != "":
		return c.late(u)
	case roll < 97:
		return c.refusedLogin(u)
	default:
		return c.refusedRefresh(u)
	}
}

// send is a request of a client, with some lines that say nothing, in any order.
func (c *soakClient) send(method, target string, body any, lines ...string) string {
	if c.rand.IntN(2) == 0 {
		lines = append(lines, "X-Pad: "+dirt[:1+c.rand.IntN(200)])
	}
	content := ""
	if body != nil {
		if m, ok := body.(map[string]any); ok {
			m["pad"] = dirt[:c.rand.IntN(300)]
		}
		b, _ := json.Marshal(body)
		content = string(b)
		lines = append(lines, "Content-Type: application/json")
	}
	c.rand.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	if method == "GET" {
		return wire(method, target, lines...)
	}
	return wireBody(method, target, content, lines...)
}

// from are the lines of a client that says who it is, and what they come to.
func (c *soakClient) from(u *soakUser) (agent, ip string, lines []string) {
	agent, ip = textOf("agent", u.n, c.rand.IntN(1000)), addrOf(u.n, c.rand.IntN(1<<16))
	return agent, ip, []string{"User-Agent: " + agent, "X-Forwarded-For: " + ip}
}
