package redistest

import (
	"bufio"
	"net"
	"sync"
	"time"
)

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
	if l.join(server) {
		l.answer()
	}
}

// join has what comes from either end read, unless the link is closed already.
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
	l.proxy.work.Go(l.readCommands)
	l.proxy.work.Go(l.readReplies)
	return true
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
	if then == fallsSilent && l.hush(f.heals) {
		for range l.fates { // until the client has gone, or Heal
		}
	}
	return then == goesOn
}

// hush has Heal close the link, unless it has been called since.
func (l *link) hush(heals int) bool {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	l.silent = true
	return l.proxy.heals == heals
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
