package redistest

import (
	"slices"
	"testing"
)

func TestMisbehave(t *testing.T) {
	p, server := proxied(t)
	server.Set("k", "value")
	const value = "$5\r\nvalue\r\n"
	for _, b := range slices.Concat(Refusals(), Nonsense(), Silences()) {
		t.Run(b.Name, func(t *testing.T) {
			says, then := b.edit([]byte(value))
			a, idle := dial(t, p.Addr()), dial(t, p.Addr())
			a.send("GET", "k")
			a.expect(value)
			idle.send("GET", "k")
			idle.expect(value)
			before := server.CommandCount()
			p.Misbehave(b, "echo")
			a.send("SELECT", "0")
			a.expect("+OK\r\n")
			a.send("ECHO", "hello")
			a.expect("$5\r\nhello\r\n")
			before++
			a.send("GETEX", "k")
			switch then {
			case goesOn:
				read := make([]byte, len(says))
				for i := range read {
					read[i], _ = a.ReadByte()
				}
				if string(read) != string(says) {
					t.Errorf("got %q, want %q", read, says)
				}
			case hangsUp:
				a.expectEnd(string(says))
			case fallsSilent:
				for i := range says {
					if c, _ := a.ReadByte(); c != says[i] {
						t.Fatalf("byte %d is %q, want %q", i, c, says[i])
					}
				}
				a.send("GETEX", "k")
				a.expectNothing()
			}
			if then == goesOn && len(b.Honest) > 0 {
				a.send("GET", "k")
				a.expect(value)
				before++
			}
			if got := server.CommandCount() - before - 1; (got > 0) != b.Reaches {
				t.Errorf("%d commands reached the server, want some: %v", got, b.Reaches)
			}
			p.Heal()
			if then == fallsSilent {
				a.expectEnd("")
			}
			idle.send("GET", "k")
			idle.expect(value)
		})
	}
}
