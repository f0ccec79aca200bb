package storetest

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// hostile ends every text that a ledger is filled with: what quoting,
// templating, joining, case folding, normalising and trimming trip over. It
// has no NUL and is UTF-8: Auth puts neither into a ledger.
const hostile = "\"'`\\ %s %00 ${x} {x} <b>&amp; a,b;c|d\t\r\n é e\u0301 ☃ 𝄞 \u2028\ufeff --/* "

// formats are the texts whose form is documented; # is a number.
var formats = map[string]string{
	"Session.IP":        "2001:db8::#",
	"KnownDevice.IP":    "192.0.2.#",
	"Device.Type":       "phone",
	"Device.ClientType": "app-#_x",
	"Location.Country":  "DE",

	"KnownNetwork.Prefix": "198.51.#.0/24",
}

// filler sets every field that can be reached, found by reflection, so that a
// field added tomorrow is checked without a change here. No two values of one
// kind are alike.
type filler struct {
	base time.Time // of times: later ones, with milliseconds
	n    int
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	idType    = reflect.TypeFor[core.ID]()
	bytesType = reflect.TypeFor[[]byte]()
)

func (f *filler) fill(v reflect.Value, name string) {
	f.n++
	switch v.Type() {
	case timeType:
		v.Set(reflect.ValueOf(f.base.Add(time.Duration(f.n) * 1001 * time.Millisecond)))
		return
	case idType:
		v.Set(reflect.ValueOf(newID()))
		return
	case bytesType: // the app's JSON, to come back byte for byte
		v.SetBytes(fmt.Appendf(nil, `{"b": %d,  "a":"\u00e9é<\/b>","n":12345678901234567890.10,"b":null}`, f.n))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.fill(v.Index(i), name)
		}
	case reflect.String:
		text := fmt.Sprint(f.n, " ", hostile)
		if form, fixed := formats[name]; fixed {
			text = strings.ReplaceAll(form, "#", fmt.Sprint(f.n%200+1))
		}
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(int64(f.n%100 + 1))
	case reflect.Uint64:
		v.SetUint(core.AllSerials - uint64(f.n))
	case reflect.Uint32:
		v.SetUint(math.MaxUint32 - uint64(f.n))
	default:
		panic("storetest: no value for " + name + " of type " + v.Type().String())
	}
}

// filled returns a change that sets every field of every struct in a ledger.
func (k *kit) filled(version core.ID) core.Change {
	var c core.Change
	f := filler{base: k.in(24).Truncate(time.Second)}
	f.fill(reflect.ValueOf(&c).Elem(), "Change")
	c.If, c.At, c.KeepUntil = version, k.tick().Add(7*time.Millisecond), k.in(48)
	c.End, c.Publish, c.Forget = nil, nil, false
	slices.Reverse(c.SignIns) // the latest first
	return c
}

// filledRevocations returns one by serial and one by token id, with every
// other field set.
func (k *kit) filledRevocations() []core.Revocation {
	var list []core.Revocation
	f := filler{base: k.in(24).Truncate(time.Second)}
	f.fill(reflect.ValueOf(&list).Elem(), "Revocation")
	list[0].JTI, list[1].MinSerial = "", 0
	return []core.Revocation{k.mine(list[0]), k.mine(list[1])}
}

// scramble overwrites all memory that is reached through the slices of v, the
// elements themselves included.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		scramble(v.Elem())
	case reflect.Struct:
		if v.Type() == timeType {
			return
		}
		for i := range v.NumField() {
			scramble(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
			if e := v.Index(i); e.Kind() == reflect.Uint8 {
				e.SetUint('#')
			} else {
				e.SetZero()
			}
		}
	}
}
