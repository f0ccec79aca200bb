package redisstore

import (
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// readLedger reads what commit.lua writes; "" is the zero ledger.
func readLedger(text string) (core.Ledger, error) {
	if text == "" {
		return core.Ledger{}, nil
	}
	var l core.Ledger
	values, err := readHeader(text, &l)
	for err == nil && values != "" {
		var name, value string
		if name, value, values, err = cutValue(values); err != nil {
			break
		}
		switch {
		case name == "d":
			l.Devices, err = readList(value, (*codec).knownDevice)
		case name == "n":
			l.Networks, err = readList(value, (*codec).knownNetwork)
		case name == "p":
			l.Pending, err = readList(value, (*codec).pending)
		case name == "f":
			l.Foreign, err = readList(value, (*codec).revokedToken)
		case len(name) == 17 && name[0] == 's':
			s := core.Session{ID: core.ID([]byte(name[1:]))}
			err = unpack(value, func(c *codec) { c.session(&s) })
			l.Sessions = append(l.Sessions, s)
		default:
			err = errPacked
		}
	}
	if err != nil {
		return core.Ledger{}, err
	}
	return l, nil
}

// readHeader reads a ledger's version and times, and returns what follows. Those that
// were written before sign-ins were kept have two times.
func readHeader(text string, l *core.Ledger) (rest string, err error) {
	header, rest, found := strings.Cut(text[min(16, len(text)):], "\n")
	parts := strings.Split(header, " ")
	if !found || len(parts) != 2 && len(parts) != 4 {
		return "", errPacked
	}
	copy(l.Version[:], text)
	for i, t := range []*time.Time{&l.At, &l.RevokedAt, &l.ReusedAt}[:min(3, len(parts))] {
		if parts[i] == "" && t != &l.At {
			continue
		}
		ms, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return "", errPacked
		}
		*t = time.UnixMilli(ms).UTC()
	}
	if len(parts) == 4 {
		l.SignIns, err = readTimes(parts[3])
	}
	return rest, err
}

// timesText packs times that stand in a header: milliseconds of the first since start,
// and of each other one before the last, in base 36. Those of a typical user, who has
// signed in once, take eight bytes.
func timesText(list []time.Time) string {
	var b []byte
	from, sign := start.UnixMilli(), int64(1)
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, sign*(t.UnixMilli()-from), 36)
		from, sign = t.UnixMilli(), -1
	}
	return string(b)
}

func readTimes(text string) (list []time.Time, err error) {
	if text == "" {
		return nil, nil
	}
	at, sign := start.UnixMilli(), int64(1)
	for digits := range strings.SplitSeq(text, ",") {
		ms, err := strconv.ParseInt(digits, 36, 64)
		if err != nil {
			return nil, errPacked
		}
		at += sign * ms
		list, sign = append(list, time.UnixMilli(at).UTC()), -1
	}
	return list, nil
}

// cutValue cuts off the first value and its name.
func cutValue(text string) (name, value, rest string, err error) {
	n := 1 + int(text[0])
	if len(text) < n+4 {
		return "", "", "", errPacked
	}
	size := uint64(binary.BigEndian.Uint32([]byte(text[n : n+4])))
	if size > uint64(len(text)-n-4) {
		return "", "", "", errPacked
	}
	from := n + 4
	return text[1:n], text[from : from+int(size)], text[from+int(size):], nil
}
