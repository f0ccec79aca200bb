package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// session draws one. That it has an id and an end is all that can be said of it.
func (s *script) session() core.Session {
	var v core.Session
	s.draw(reflect.ValueOf(&v).Elem(), "Session")
	v.ExpiresAt = s.ends()
	return v
}

// revocation draws one of a session, or of one of its tokens.
func (s *script) revocation(of core.ID) core.Revocation {
	var r core.Revocation
	s.draw(reflect.ValueOf(&r).Elem(), "Revocation")
	r.Session, r.Until = of, s.ends()
	switch n := s.IntN(10); {
	case n < 2:
		r.MinSerial = 0
		if n == 0 {
			r.Session = core.ID{}
		}
		return r
	case n < 7:
		r.MinSerial = core.AllSerials
	}
	r.MinSerial, r.JTI = max(r.MinSerial, 1), ""
	return r
}

// signIns draws the times of sign-ins, the latest first: nil, none or up to 24, some of
// them of one moment.
func (s *script) signIns() []time.Time {
	n := s.IntN(50) - 25
	if n < 0 {
		return nil
	}
	list, at := make([]time.Time, n), s.now
	for i := range list {
		switch {
		case s.odds(70):
			at = at.Add(-s.life())
		case s.odds(10):
			at = at.AddDate(-20, 0, 0)
		}
		list[i] = at
	}
	return list
}

// ends is when something is over: later, but now and then it is already.
func (s *script) ends() time.Time {
	if s.odds(5) {
		return s.now.Add(-s.life())
	}
	return s.now.Add(s.life())
}

// listOf draws a list of a ledger, where no two have one key: nil, empty or not.
func listOf[T any](s *script, name string, key func(*T) string) []T {
	n := s.IntN(12) - 6
	if n < 0 {
		return nil
	}
	list, keys := []T{}, map[string]bool{}
	for range n {
		var v T
		s.draw(reflect.ValueOf(&v).Elem(), name)
		if k := key(&v); !keys[k] {
			list, keys[k] = append(list, v), true
		}
	}
	return list
}

// named are the fields that name something: they are never zero.
var named = map[string]bool{"Session.ID": true, "Device.ID": true, "RevokedToken.JTI": true, "Revocation.JTI": true, "KnownNetwork.Prefix": true}

// longest are how many bytes a text may have where that is known. Others have up to 300.
var longest = map[string]int{"Device.ID": 128, "Session.UserAgent": 512}

var (
	drawnTimes = []time.Time{
		time.UnixMilli(1).UTC(),
		time.Date(2001, 9, 9, 1, 46, 39, 999e6, time.UTC),
		time.Date(2038, 1, 19, 3, 14, 8, 1e6, time.UTC),
		time.Date(2199, 12, 31, 23, 59, 59, 999e6, time.UTC),
	}
	drawnNumbers = []uint64{1, 2, 1<<31 - 1, 1 << 31, 1 << 32, 1<<53 + 1, core.AllSerials - 1, core.AllSerials}
	drawnTexts   = []string{
		hostile, "plain", "PLAIN", "plain ", " plain", "pl\u00e0in", "pla\u0300in", "\x01\x7f\u0085", "a,b", "[]", "null", "0", "1e3", "\n", "'); --",
		"\u202etxt.exe", "\U0001f469\u200d\U0001f4bb", "\ufffe\U0010ffff", strings.Repeat("\u00e9 ", 100), strings.Repeat("x", 255), strings.Repeat("y", 256),
	}
)

// draw sets every field that can be reached, found by reflection like those that filler
// sets, each to something that a ledger may hold: often to zero or to what is hard to keep.
func (s *script) draw(v reflect.Value, name string) {
	if kind := v.Kind(); kind != reflect.Struct && !named[name] && s.odds(20) && v.Type() != timeType || v.Type() == timeType && s.odds(20) {
		return
	}
	switch v.Type() {
	case timeType:
		t := s.now.Add(s.life()).Add(-s.life())
		if s.odds(10) {
			t = anyOf(s, drawnTimes)
		}
		v.Set(reflect.ValueOf(t))
		return
	case idType:
		v.Set(reflect.ValueOf(s.id()))
		return
	case bytesType:
		v.SetBytes(s.claims())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			s.draw(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), s.IntN(4), 3))
		for i := range v.Len() {
			s.draw(v.Index(i), name)
		}
	case reflect.String:
		v.SetString(s.text(name))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(s.IntN(101)))
	case reflect.Uint32:
		v.SetUint(uint64(s.Uint32()))
	case reflect.Uint64:
		v.SetUint(s.Uint64N(1000))
		if s.odds(30) {
			v.SetUint(anyOf(s, drawnNumbers))
		}
	default:
		panic("storetest: no value for " + name + " of type " + v.Type().String())
	}
}

func (s *script) text(name string) string {
	if form, fixed := formats[name]; fixed {
		return strings.ReplaceAll(form, "#", fmt.Sprint(s.IntN(200)+1))
	}
	text := anyOf(s, drawnTexts)
	switch n := s.IntN(100); {
	case named[name] && n < 30: // several of one list are alike
		text = anyOf(s, alike[0])
	case n < 40:
		text = anyOf(s, names)
	case named[name] && n < 70:
		text = s.id().String()
	}
	limit := longest[name]
	if limit > 300 && s.odds(30) {
		text = strings.Repeat("Mozilla/5.0 (\u00e9) ", 30) + text
	}
	if limit == 0 {
		limit = 300
	}
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}

// claims are a JSON object, to come back byte for byte.
func (s *script) claims() []byte {
	switch n := s.IntN(100); {
	case n < 10:
		return []byte("{}")
	case n < 12:
		long := bytes.Repeat([]byte("0123456789 <é> "), 64<<10/16)
		return fmt.Appendf(nil, `{"a":"%s"}`, long[:s.IntN(len(long)/16)*16])
	}
	return fmt.Appendf(nil, `{"b": %d,  "a":"\u00e9é<\/b>","n":12345678901234567890.10,"b":null, "":{"x":[ ]} }`, s.Uint64())
}
