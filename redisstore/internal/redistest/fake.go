package redistest

import (
	"slices"
	"strings"
)

// Behaviour is how a server answers that is not well.
type Behaviour struct {
	Name string
	// Reaches says that commands take place all the same: it is their replies that
	// are no good.
	Reaches bool
	// Honest are commands, in lower case, to which the answer would be a right one.
	// They reach the server and are answered by it.
	Honest []string

	edit func(reply []byte) (says []byte, then next)
}

// Says answers each command with the same bytes.
func Says(name, bytes string, honest ...string) Behaviour {
	return Behaviour{Name: name, Honest: honest, edit: func([]byte) ([]byte, next) { return []byte(bytes), goesOn }}
}

// Stops answers each command with the beginning of a reply. Then the connection is
// closed, or nothing more comes.
func Stops(name, bytes string, closed bool) Behaviour {
	then := fallsSilent
	if closed {
		then = hangsUp
	}
	return Behaviour{Name: name, edit: func([]byte) ([]byte, next) { return []byte(bytes), then }}
}

// Halves lets commands take place, and cuts each reply in the middle.
func Halves() Behaviour {
	return Behaviour{Name: "half of the reply", Reaches: true, edit: func(reply []byte) ([]byte, next) { return reply[:len(reply)/2], hangsUp }}
}

// Refusals are the errors by which a server refuses whatever it is asked.
func Refusals() []Behaviour {
	var all []Behaviour
	for _, line := range []string{
		"LOADING Redis is loading the dataset in memory",
		"MOVED 1 127.0.0.1:1",
		"ASK 1 127.0.0.1:1",
		"READONLY You can't write against a read only replica.",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
		"NOAUTH Authentication required.",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"CLUSTERDOWN The cluster is down",
		"NOREPLICAS Not enough good replicas to write.",
		"NOPERM User default has no permissions to run the command",
		"NOSCRIPT No matching script. Please use EVAL.",
		"WRONGTYPE Operation against a key holding the wrong kind of value",
		"EXECABORT Transaction discarded because of previous errors.",
		"ERR max number of clients reached",
	} {
		name, _, _ := strings.Cut(line, " ")
		if name == "ERR" {
			name = line
		}
		all = append(all, Says(name, "-"+line+"\r\n"))
	}
	return all
}

// Nonsense are replies of the wrong type and bytes that are no reply.
func Nonsense() []Behaviour {
	return []Behaviour{
		Says("an integer", ":7\r\n"),
		Says("nothing", "$-1\r\n", "get"), // of GET it is the right answer: nothing is known
		Says("nothing, of RESP3", "_\r\n", "get"),
		Says("a simple string", "+OK\r\n"),
		Says("an empty array", "*0\r\n"),
		Says("an array of nothing", "*1\r\n$-1\r\n"),
		Says("a map", "%1\r\n+a\r\n+b\r\n"),
		Says("true", "#t\r\n"),
		Says("a number", ",1\r\n"),
		Says("garbage", "\x00\xff no reply\r\n"),
		Stops("garbage without an end", "\x00\xff no reply", true),
		Stops("a text that ends too soon", "$100\r\nsallyport", true),
		Stops("a text that stands still", "$100\r\nsallyport", false),
		Stops("a text of 8 exabytes", "$9223372036854775807\r\nsallyport", true),
		Stops("an array of 8 exabytes", "*9223372036854775807\r\n$1\r\na\r\n", true),
		Halves(),
	}
}

// Silences say nothing.
func Silences() []Behaviour {
	return []Behaviour{Stops("silence", "", false), Stops("closed at once", "", true)}
}

// handshake are the commands by which a client begins a connection.
var handshake = []string{"hello", "client", "auth", "select"}

// Misbehave has each command answered like that from now on, but for those by which a
// client begins a connection, until Heal. Commands that are named well, in lower case,
// are answered as ever.
func (p *Proxy) Misbehave(b Behaviour, well ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	well = slices.Concat(handshake, b.Honest, well)
	p.sick = func(words []string) fate {
		if slices.Contains(well, strings.ToLower(words[0])) {
			return fate{}
		}
		return fate{unsent: !b.Reaches, edit: b.edit}
	}
}
