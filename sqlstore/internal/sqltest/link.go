package sqltest

import (
	"net"
	"sync"
)

// link is one connection of a client, with one of its own to the server.
type link struct {
	proxy  *Proxy
	client net.Conn
	done   chan struct{}
	once   sync.Once

	// Under the proxy's lock:
	server   net.Conn
	loss     *loss // of what the server says next
	withheld bool  // something that it said
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
	if err != nil || !l.join(server) {
		return
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.client.Read(buffer)
		if n > 0 {
			if !l.thawed() {
				return
			}
			if loss := l.proxy.lossOf(buffer[:n]); loss != nil {
				l.proxy.mu.Lock()
				l.loss = loss
				l.proxy.mu.Unlock()
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// join has what the server says passed on, unless the link is closed already.
func (l *link) join(server net.Conn) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	select {
	case <-l.done:
		server.Close()
		return false
	default:
	}
	l.server = server
	l.proxy.work.Go(func() { l.answer(server) })
	return true
}

// answer passes on what the server says. If the client has gone, what it sent goes on.
func (l *link) answer(server net.Conn) {
	defer l.end()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			if !l.thawed() {
				return
			}
			says, ends := l.say(buffer[:n])
			if ends {
				return
			}
			_, _ = l.client.Write(says)
		}
		if err != nil {
			return
		}
	}
}

// say returns what of a reply the client gets, and whether the link ends.
func (l *link) say(reply []byte) (says []byte, ends bool) {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	switch {
	case l.loss != nil:
		l.close()
		close(l.loss.happened)
		return nil, true
	case l.proxy.drops || l.withheld:
		l.withheld = true
		return nil, false
	}
	return reply, false
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
