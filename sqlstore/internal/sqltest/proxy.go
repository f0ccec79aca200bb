package sqltest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy stands in front of the server of a database and breaks the link to it as it is
// told. It passes bytes and knows nothing of what they say. Trouble of any two kinds
// may be on at once; Heal ends all of it. Every method is safe for concurrent use.
type Proxy struct {
	t      testing.TB
	addr   string
	server string
	work   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil: cut
	links    map[*link]bool
	thawed   chan struct{} // closed unless frozen
	drops    bool
	losses   []*loss
	closed   bool
}

// loss is a reply that is to be lost.
type loss struct {
	match    func(sent []byte) bool
	happened chan struct{}
}

// StartProxy starts a proxy in front of the server of a database, which need not run,
// and returns the same database as it is through the proxy. It ends with the test.
func StartProxy(t testing.TB, d Database) (*Proxy, Database) {
	t.Helper()
	if d.addr == "" {
		t.Fatalf("%s has no server", d.Engine)
	}
	listener, err := net.Listen("tcp", free(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{t: t, addr: listener.Addr().String(), server: d.addr, links: make(map[*link]bool), thawed: make(chan struct{})}
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
	d.DSN, d.addr = strings.Replace(d.DSN, d.addr, p.addr, 1), p.addr
	return p, d
}

// Cut closes every connection and has new ones refused. What was sent and not answered
// may or may not have reached the server.
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

// Freeze accepts connections and passes nothing, neither way, as a link does on which
// packets are lost. After Thaw what was sent meanwhile arrives late, even from clients
// that have gone.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.frozen() {
		p.thawed = make(chan struct{})
	}
}

// Thaw ends Freeze, and nothing else.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thaw()
}

// DropReplies has all that clients send reach the server, and nothing that it says
// reach them. A client that gives up may ask the server to cancel what it did. Heal
// closes the connections from which something was withheld.
func (p *Proxy) DropReplies() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops = true
}

// CutReply waits for what a client sends next that match says yes to, lets it take
// place, and closes that connection when the server answers, without the answer. It
// happens once, and the channel is closed when it has. What match is given is what the
// client wrote at once: a statement with what surrounds it, or a statement's name and
// its arguments where it was prepared before. It is called before the server has it, in
// turn, and may itself use the proxy.
func (p *Proxy) CutReply(match func(sent []byte) bool) <-chan struct{} {
	l := &loss{match, make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses = append(p.losses, l)
	return l.happened
}

// Heal makes an end of all that the proxy was told to do.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops, p.losses = false, nil
	for l := range p.links {
		if l.withheld {
			l.close()
		}
	}
	p.thaw()
	if p.listener != nil || p.closed {
		return
	}
	var listener net.Listener
	if err := eventually(context.Background(), func(context.Context) (err error) {
		listener, err = net.Listen("tcp", p.addr)
		return err
	}); err != nil {
		p.t.Errorf("the proxy does not come back: %v", err)
		return
	}
	p.listen(listener)
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

// thaw needs the lock.
func (p *Proxy) thaw() {
	if p.frozen() {
		close(p.thawed)
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
			l := &link{proxy: p, client: client, done: make(chan struct{})}
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

// lossOf returns the loss that the reply to something is to be, or nil.
func (p *Proxy) lossOf(sent []byte) *loss {
	p.mu.Lock()
	losses := p.losses
	p.mu.Unlock()
	for _, l := range losses {
		if l.match(sent) && p.claim(l) {
			return l
		}
	}
	return nil
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
