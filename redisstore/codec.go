package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// format is the first byte of every packed value. A value of a later format is an
// error; one of an earlier format is read as it was written.
//
//	1  the first
//	2  a revocation begins with its user
//	3  words of devices, their ids, and addresses are packed
const format = 3

var errPacked = errors.New("redisstore: a value in the database can't be read")

// codec packs values and unpacks them. Each of its methods does either, so that
// what is written and what is read can't differ. What it packs it only reads.
type codec struct {
	buf     []byte // what was written, or what is still to be read
	reading bool
	format  byte // of what is read or written
	broken  bool
}

// pack packs one value.
func pack(value func(*codec)) []byte {
	c := &codec{buf: []byte{format}, format: format}
	value(c)
	return c.buf
}

// unpack reads all of a packed value.
func unpack(text string, value func(*codec)) error {
	if text == "" || text[0] < 1 || text[0] > format {
		return fmt.Errorf("%w: its format is not 1 to %d", errPacked, format)
	}
	c := &codec{buf: []byte(text[1:]), reading: true, format: text[0]}
	value(c)
	if c.broken || len(c.buf) > 0 {
		return errPacked
	}
	return nil
}

func (c *codec) uint(v *uint64) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	n, size := binary.Uvarint(c.buf)
	if size <= 0 {
		c.fail()
		return
	}
	*v, c.buf = n, c.buf[size:]
}

func (c *codec) fail() { c.broken, c.buf = true, nil }

func (c *codec) int(v *int) {
	n := uint64(*v)<<1 ^ uint64(*v>>63) // small, whatever the sign
	if c.uint(&n); c.reading {
		*v = int(n>>1) ^ -int(n&1)
	}
}

func (c *codec) bool(v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	if c.uint(&n); c.reading {
		*v = n == 1
	}
}

// bytes returns the next n bytes of what is read.
func (c *codec) bytes(n uint64) []byte {
	if n > uint64(len(c.buf)) {
		c.fail()
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

func (c *codec) text(v *string) {
	n := uint64(len(*v))
	c.uint(&n)
	if c.reading {
		*v = string(c.bytes(n))
	} else {
		c.buf = append(c.buf, *v...)
	}
}

func (c *codec) id(v *core.ID) {
	if c.reading {
		copy(v[:], c.bytes(16))
	} else {
		c.buf = append(c.buf, v[:]...)
	}
}

// time is told one that is near, so that most take few bytes.
func (c *codec) time(v *time.Time, near time.Time) {
	set := !v.IsZero()
	if c.bool(&set); !set {
		return // what is read into is zero
	}
	ms := int(v.UnixMilli() - near.UnixMilli())
	if c.int(&ms); c.reading {
		*v = time.UnixMilli(near.UnixMilli() + int64(ms)).UTC()
	}
}

// start is what times are near that have no other at hand.
var start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func list[T any](c *codec, v *[]T, each func(*codec, *T)) {
	n := uint64(len(*v))
	c.uint(&n)
	if c.reading {
		*v = nil
		for ; n > 0 && !c.broken; n-- {
			*v = append(*v, *new(T))
			each(c, &(*v)[len(*v)-1])
		}
		return
	}
	for i := range *v {
		each(c, &(*v)[i])
	}
}

func writeList[T any](v []T, each func(*codec, *T)) []byte {
	return pack(func(c *codec) { list(c, &v, each) })
}

func readList[T any](text string, each func(*codec, *T)) (v []T, err error) {
	err = unpack(text, func(c *codec) { list(c, &v, each) })
	return v, err
}

func writeSession(s *core.Session) []byte { return pack(func(c *codec) { c.session(s) }) }

// session leaves out the id.
func (c *codec) session(s *core.Session) {
	c.time(&s.CreatedAt, start)
	base := s.CreatedAt
	for _, t := range []*time.Time{
		&s.LastSeenAt, &s.ExpiresAt, &s.RefreshExpiresAt, &s.AbsoluteExpiresAt, &s.MovedAt, &s.SeenAt, &s.RetireAt,
		&s.Access.IssuedAt, &s.Access.ExpiresAt, &s.Access.Until, &s.AuthTime,
	} {
		c.time(t, base)
	}
	c.uint(&s.Gen)
	c.uint(&s.Serial)
	c.uint(&s.MinSerial)
	list(c, &s.LateReplays, func(c *codec, t *time.Time) { c.time(t, base) })
	c.id(&s.Access.JTI)
	list(c, &s.Revoked, (*codec).revokedToken)
	c.device(&s.Device)
	c.address(&s.IP)
	c.text(&s.UserAgent)
	c.location(&s.Location)
	c.int(&s.Risk.Score)
	list(c, &s.Risk.Reasons, func(c *codec, r *core.RiskReason) {
		c.text(&r.Code)
		c.int(&r.Points)
		c.text(&r.Detail)
	})
	for _, words := range []*[]string{&s.AMR, &s.Scopes, &s.Roles} {
		list(c, words, (*codec).text)
	}
	claims := string(s.Claims)
	if c.text(&claims); c.reading && claims != "" {
		s.Claims = []byte(claims)
	}
}

func (c *codec) location(l *core.Location) {
	c.text(&l.Country)
	c.text(&l.City)
}

func (c *codec) knownDevice(d *core.KnownDevice) {
	c.device(&d.Device)
	c.time(&d.FirstSeenAt, start)
	c.time(&d.LastSeenAt, d.FirstSeenAt)
	c.address(&d.IP)
	c.location(&d.Location)
}

func (c *codec) knownNetwork(n *core.KnownNetwork) {
	c.prefix(&n.Prefix)
	asn := uint64(n.ASN)
	if c.uint(&asn); c.reading {
		if n.ASN = uint32(asn); asn > math.MaxUint32 {
			c.fail()
		}
	}
	c.location(&n.Location)
	c.time(&n.LastSeenAt, start)
}

// The ways in which a prefix is packed.
const (
	prefixText = iota // such as a sealed one
	prefix24          // IPv4: 3 bytes
	prefix48          // IPv6: 6 bytes
)

// prefix packs the bytes of a network, if that is what the text says and no more.
func (c *codec) prefix(text *string) {
	how, b := uint64(prefixText), []byte(nil)
	if p, err := netip.ParsePrefix(*text); err == nil && !c.reading && p.Masked().String() == *text {
		switch addr := p.Addr().AsSlice(); {
		case len(addr) == 4 && p.Bits() == 24:
			how, b = prefix24, addr[:3]
		case len(addr) == 16 && p.Bits() == 48 && !p.Addr().Is4In6():
			how, b = prefix48, addr[:6]
		}
	}
	switch c.uint(&how); {
	case how == prefixText:
		c.text(text)
	case !c.reading:
		c.buf = append(c.buf, b...)
	case how == prefix24:
		var addr [4]byte
		copy(addr[:], c.bytes(3))
		*text = netip.PrefixFrom(netip.AddrFrom4(addr), 24).String()
	case how == prefix48:
		var addr [16]byte
		copy(addr[:], c.bytes(6))
		*text = netip.PrefixFrom(netip.AddrFrom16(addr), 48).String()
	default:
		c.fail()
	}
}

func (c *codec) pending(p *core.Pending) {
	c.id(&p.Session.ID)
	c.session(&p.Session)
	c.time(&p.ExpiresAt, p.Session.CreatedAt)
	c.int(&p.Attempts)
}

func (c *codec) revokedToken(r *core.RevokedToken) {
	c.text(&r.JTI)
	c.time(&r.Until, start)
}

func (c *codec) revocation(r *core.Revocation) {
	if c.format >= 2 {
		c.text(&r.UserID)
	}
	c.id(&r.Session)
	c.uint(&r.MinSerial)
	c.text(&r.JTI)
	c.time(&r.Until, start)
	c.time(&r.From, r.Until)
}
