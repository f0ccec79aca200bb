package redistest

import (
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
	heals    int                       // how often it was healed
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
	p.heals++
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
	heals  int                                         // of the proxy, when this was decided
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

func (l *loss) edit(reply []byte) ([]byte, next) {
	l.happened <- len(reply)
	return reply[:min(l.after, len(reply))], hangsUp
}

// fateOf decides about a command.
func (p *Proxy) fateOf(words []string) fate {
	p.mu.Lock()
	losses, sick, heals := p.losses, p.sick, p.heals
	p.mu.Unlock()
	for _, l := range losses {
		if l.match(words) && p.claim(l) {
			return fate{edit: l.edit, heals: heals}
		}
	}
	var f fate
	if sick != nil {
		f = sick(words)
	}
	f.heals = heals
	return f
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
