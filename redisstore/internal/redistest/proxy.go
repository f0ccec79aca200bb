package redistest

import (
	"bufio"
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy stands in front of one Redis server and breaks the link to it, or speaks in
// its place, as it is told. It knows where commands and replies begin and end.
// Trouble of any two kinds may be on at once; Heal ends all of it. Every method is
// safe for concurrent use.
type Proxy struct {
	t      testing.TB
	addr   string
	server string
	work   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil: cut
	links    map[*link]bool
	thawed   chan struct{} // closed unless frozen
	delay    time.Duration
	losses   []*loss
	sick     func(words []string) fate // nil: well
	closed   bool
}

// StartProxy starts a proxy in front of the server at an address, which need not
// run yet. It ends with the test.
func StartProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{t: t, addr: listener.Addr().String(), server: addr, links: make(map[*link]bool), thawed: make(chan struct{})}
	close(p.thawed)
	p.mu.Lock()
	p.listen(listener)
	p.mu.Unlock()
	t.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Cut()
		p.work.Wait()
	})
	return p
}

// Addr returns where clients reach the server through the proxy. It never changes.
func (p *Proxy) Addr() string { return p.addr }

// Cut closes every connection and has new ones refused. What was sent and not
// answered may or may not have reached the server.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for l := range p.links {
		l.close()
	}
}

// Freeze accepts connections and passes nothing, neither way, as a link does on
// which packets are lost. After Heal what was sent meanwhile arrives late, even from
// clients that have gone.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen() {
		p.thawed = make(chan struct{})
	}
}

// Delay has each reply arrive that much later. Replies that come together are late
// together.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// CutReplyAfter waits for the next command that match says yes to, lets it take place, and
// closes its connection after n bytes of the reply: 0, and the reply is lost. It happens
// once. The length of the whole reply comes by the channel when it has. n beyond it passes
// the reply and closes then. match is called before the command reaches the server, and
// may itself use the proxy.
func (p *Proxy) CutReplyAfter(n int, match func(words []string) bool) <-chan int {
	l := &loss{after: n, match: match, happened: make(chan int, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses = append(p.losses, l)
	return l.happened
}

// Heal makes an end of all that the proxy was told to do. A connection on which a
// reply was withheld is closed; the others go on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.losses, p.sick = 0, nil, nil
	for l := range p.links {
		if l.silent {
			l.close()
		}
	}
	if p.frozen() {
		close(p.thawed)
	}
	if p.listener == nil && !p.closed {
		var listener net.Listener
		if err := eventually(func(context.Context) (err error) {
			listener, err = net.Listen("tcp", p.addr)
			return err
		}); err != nil {
			p.t.Errorf("the proxy does not come back: %v", err)
			return
		}
		p.listen(listener)
	}
}

// frozen reports whether nothing passes. It needs the lock.
func (p *Proxy) frozen() bool {
	select {
	case <-p.thawed:
		return false
	default:
		return true
	}
}

// listen accepts connections. It needs the lock.
func (p *Proxy) listen(listener net.Listener) {
	p.listener = listener
	p.work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l := &link{proxy: p, client: client, fates: make(chan fate, 1024), replies: make(chan reply, 1024), done: make(chan struct{})}
			p.mu.Lock()
			if p.listener != listener { // cut meanwhile
				client.Close()
			} else {
				p.links[l] = true
				p.work.Go(l.run)
			}
			p.mu.Unlock()
		}
	})
}

// fate is what becomes of a command and of its reply.
type fate struct {
	unsent bool                                        // it does not reach the server
	edit   func(reply []byte) (says []byte, then next) // nil: the reply is as it is
}

// next is what becomes of a connection.
type next int

const (
	goesOn      next = iota
	hangsUp          // it is closed
	fallsSilent      // nothing more comes by it
)

// loss is a reply that is to be lost.
type loss struct {
	after    int
	match    func(words []string) bool
	happened chan int
}

// fateOf decides about a command.
func (p *Proxy) fateOf(words []string) fate {
	p.mu.Lock()
	losses, sick := p.losses, p.sick
	p.mu.Unlock()
	for _, l := range losses {
		if l.match(words) && p.claim(l) {
			return fate{edit: func(reply []byte) ([]byte, next) {
				l.happened <- len(reply)
				return reply[:min(l.after, len(reply))], hangsUp
			}}
		}
	}
	if sick != nil {
		return sick(words)
	}
	return fate{}
}

// claim reports whether a loss is still to happen, and has it happen to nobody else.
func (p *Proxy) claim(l *loss) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.losses {
		if l == other {
			p.losses = append(p.losses[:i:i], p.losses[i+1:]...)
			return true
		}
	}
	return false
}

// link is one connection of a client, with one of its own to the server.
type link struct {
	proxy  *Proxy
	client net.Conn
	server net.Conn // set under the proxy's lock
	silent bool     // likewise

	fates   chan fate  // of the commands that were read, in their order
	replies chan reply // what the server has said, in its order
	done    chan struct{}
	once    sync.Once
}

type reply struct {
	bytes []byte
	push  bool
	at    time.Time // it came
}

// close ends the link at once. It needs the proxy's lock.
func (l *link) close() {
	l.once.Do(func() {
		close(l.done)
		l.client.Close()
		if l.server != nil {
			l.server.Close()
		}
		delete(l.proxy.links, l)
	})
}

func (l *link) end() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.close()
}

// run passes what comes, until an end has gone.
func (l *link) run() {
	defer l.end()
	if !l.thawed() {
		return
	}
	server, err := net.Dial("tcp", l.proxy.server)
	if err != nil {
		return
	}
	l.proxy.mu.Lock()
	select {
	case <-l.done:
		server.Close()
	default:
		l.server = server
		l.proxy.work.Go(l.readCommands)
		l.proxy.work.Go(l.readReplies)
	}
	l.proxy.mu.Unlock()
	l.answer()
}

// thawed returns true when the link is not frozen, and false when it is closed.
func (l *link) thawed() bool {
	l.proxy.mu.Lock()
	thawed := l.proxy.thawed
	l.proxy.mu.Unlock()
	select {
	case <-l.done:
		return false
	case <-thawed:
		return true
	}
}

// readCommands passes commands on. When the client has gone those that it sent
// still reach the server.
func (l *link) readCommands() {
	defer close(l.fates)
	r := bufio.NewReader(l.client)
	for {
		c, err := readCommand(r)
		if err != nil || !l.thawed() {
			return
		}
		f := l.proxy.fateOf(c.words)
		select {
		case l.fates <- f:
		case <-l.done:
			return
		}
		if f.unsent {
			continue
		}
		if _, err := l.server.Write(c.bytes); err != nil {
			return
		}
	}
}

func (l *link) readReplies() {
	defer close(l.replies)
	r := bufio.NewReader(l.server)
	for {
		b, push, err := readReply(r)
		if err != nil {
			return
		}
		select {
		case l.replies <- reply{b, push, time.Now()}:
		case <-l.done:
			return
		}
	}
}

// answer has each command answered, in their order, until an end has gone.
func (l *link) answer() {
	var f *fate
	var r *reply
	for {
		switch {
		case r != nil && r.push:
			l.say(r.bytes, r.at)
			r = nil
		case f != nil && f.unsent:
			if !l.meet(f, &reply{at: time.Now()}) {
				return
			}
			f = nil
		case f != nil && r != nil:
			if !l.meet(f, r) {
				return
			}
			f, r = nil, nil
		default: // there is more to hear first
			fates, replies := l.fates, l.replies
			if f != nil {
				fates = nil
			}
			if r != nil {
				replies = nil
			}
			select {
			case more, ok := <-fates:
				if !ok {
					return
				}
				f = &more
			case more, ok := <-replies:
				if !ok {
					return
				}
				r = &more
			}
		}
	}
}

// meet has a command and its reply meet their fate, and reports whether the link
// goes on.
func (l *link) meet(f *fate, r *reply) bool {
	says, then := r.bytes, goesOn
	if f.edit != nil {
		says, then = f.edit(r.bytes)
	}
	l.say(says, r.at)
	if then == fallsSilent {
		l.proxy.mu.Lock()
		l.silent = true
		l.proxy.mu.Unlock()
		for range l.fates { // until the client has gone, or Heal
		}
	}
	return then == goesOn
}

// say sends something to the client that came at a time. If it has gone, the
// commands that it sent go on.
func (l *link) say(b []byte, at time.Time) {
	l.proxy.mu.Lock()
	delay := l.proxy.delay
	l.proxy.mu.Unlock()
	if wait := time.Until(at.Add(delay)); delay > 0 && wait > 0 {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-late.C:
		case <-l.done:
		}
	}
	if l.thawed() {
		_, _ = l.client.Write(b)
	}
}
