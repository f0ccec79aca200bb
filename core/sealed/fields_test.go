package sealed_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/core/sealed"
	"github.com/sallyport-go/sallyport/memstore"
)

// Every text that a change holds is either personal and sealed, or stays in the
// clear and is known to. One that is added to core stands in neither list.
var (
	personal = []string{
		"Put.Device.Name", "Put.Device.Browser", "Put.IP", "Put.UserAgent", "Put.Location.Country", "Put.Location.City", "Put.Risk.Reasons.Detail",
		"Devices.Device.Name", "Devices.Device.Browser", "Devices.IP", "Devices.Location.Country", "Devices.Location.City",
		"Networks.Prefix", "Networks.Location.Country", "Networks.Location.City",
		"Pending.Session.Device.Name", "Pending.Session.Device.Browser", "Pending.Session.IP", "Pending.Session.UserAgent", "Pending.Session.Location.Country",
		"Pending.Session.Location.City", "Pending.Session.Risk.Reasons.Detail",
	}
	inTheClear = []string{
		"Put.Revoked.JTI", "Put.Device.ID", "Put.Device.Type", "Put.Device.ClientType", "Put.Device.OS",
		"Put.Risk.Reasons.Code", "Put.AMR", "Put.Scopes", "Put.Roles", "Put.Claims",
		"End.Reason",
		"Devices.Device.ID", "Devices.Device.Type", "Devices.Device.ClientType", "Devices.Device.OS",
		"Pending.Session.Revoked.JTI", "Pending.Session.Device.ID", "Pending.Session.Device.Type", "Pending.Session.Device.ClientType",
		"Pending.Session.Device.OS", "Pending.Session.Risk.Reasons.Code",
		"Pending.Session.AMR", "Pending.Session.Scopes", "Pending.Session.Roles", "Pending.Session.Claims",
		"Foreign.JTI", "Publish.UserID", "Publish.JTI",
	}
)

// visit calls do with every text in v and the path of fields to it.
func visit(v reflect.Value, path string, do func(path, text string)) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			visit(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), do)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			do(path, string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			visit(v.Index(i), path, do)
		}
	case reflect.String:
		do(path, v.String())
	}
}

// fill sets every field, texts to canaries of which no two are alike.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Array:
		reflect.Copy(v, reflect.ValueOf([]byte(rand.Text())))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Appendf(nil, `{"claim":%q}`, rand.Text()))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("canary " + rand.Text())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Interface:
		v.Set(reflect.ValueOf(errors.New("canary " + rand.Text())))
	default:
		panic(v.Type().String())
	}
}

// filled returns a change of an unknown user that sets all there is in a ledger.
func filled() core.Change {
	var c core.Change
	fill(reflect.ValueOf(&c).Elem())
	c.If, c.End, c.Publish, c.Forget = core.ID{}, nil, nil, false
	return c
}

// sealedTexts counts the sealed values in v.
func sealedTexts(v any) (n int) {
	visit(reflect.ValueOf(v), "", func(_, text string) {
		if strings.HasPrefix(text, sealed.Prefix) {
			n++
		}
	})
	return n
}

var unordered = cmpopts.SortSlices(func(a, b core.Session) bool { return bytes.Compare(a.ID[:], b.ID[:]) < 0 })

// recording keeps the last change that it was given.
type recording struct {
	*memstore.Store
	last core.Change
}

func (r *recording) Commit(ctx context.Context, userID string, c core.Change) (core.Ledger, error) {
	r.last = c
	return r.Store.Commit(ctx, userID, c)
}

// Of what a store is given, nothing personal can be read, and the rest is as it was.
func TestWhatTheStoreHolds(t *testing.T) {
	inner := &recording{Store: memstore.New()}
	sealer := newSealer(t, newKey("a"))
	store := sealer.Store(inner)
	var c core.Change
	fill(reflect.ValueOf(&c).Elem())
	c.If, c.Forget = core.ID{}, false
	given := fmt.Sprintf("%#v", c)

	commit(t, store, "alice", c)
	if after := fmt.Sprintf("%#v", c); after != given {
		t.Errorf("the caller's change was written to: got %s, want %s", after, given)
	}
	plain, held := map[string][]string{}, map[string][]string{}
	visit(reflect.ValueOf(c), "", func(path, text string) { plain[path] = append(plain[path], text) })
	visit(reflect.ValueOf(inner.last), "", func(path, text string) { held[path] = append(held[path], text) })
	if got, want := slices.Sorted(maps.Keys(plain)), slices.Sorted(slices.Values(slices.Concat(personal, inTheClear))); !slices.Equal(got, want) {
		t.Fatalf("the texts of a change (-listed +found):\n%s", cmp.Diff(want, got))
	}
	l := loadStore(t, inner, "alice")
	all := fmt.Sprintf("%+v %+v", inner.last, l)
	for path, texts := range plain {
		if !slices.Contains(personal, path) {
			if !slices.Equal(held[path], texts) {
				t.Errorf("%s: got %q, want it as it was: %q", path, held[path], texts)
			}
			continue
		}
		for i, text := range texts {
			if strings.Contains(all, text) || strings.Contains(all, strings.TrimPrefix(text, "canary ")) {
				t.Errorf("%s: the store holds %q", path, text)
			}
			if !strings.HasPrefix(held[path][i], "sealed\t1:a:") {
				t.Errorf("%s: got %q, want it sealed", path, held[path][i])
			}
		}
	}
	if diff := cmp.Diff(c.Apply(core.Ledger{}), loadStore(t, store, "alice")); diff != "" {
		t.Errorf("what is loaded (-want +got):\n%s", diff)
	}
	many, err := store.(core.ManyLoader).LoadMany(t.Context(), []string{"alice", "bob"})
	if diff := cmp.Diff(map[string]core.Ledger{"alice": c.Apply(core.Ledger{})}, many); diff != "" || err != nil {
		t.Errorf("LoadMany: %v (-want +got):\n%s", err, diff)
	}
	moved := core.Change{ID: core.ID{9}, Put: loadStore(t, inner, "alice").Sessions}
	commit(t, inner, "carol", moved)
	if _, err := store.Load(t.Context(), "carol"); err == nil {
		t.Error("sessions opened for a user to whom they were copied")
	}
}

// A value names its field: none opens in another one, of the same record or of
// another kind of record.
func TestEveryFieldIsItsOwn(t *testing.T) {
	inner := &recording{Store: memstore.New()}
	sealer := newSealer(t, newKey("a"))
	commit(t, sealer.Store(inner), "alice", filled())
	fields := map[string]sealed.Field{
		"IP": sealed.IP, "UserAgent": sealed.UserAgent, "Name": sealed.DeviceName, "Browser": sealed.Browser,
		"Country": sealed.Country, "City": sealed.City, "Detail": sealed.RiskDetail, "Prefix": sealed.Network,
	}
	n := 0
	visit(reflect.ValueOf(inner.last), "", func(path, text string) {
		if !slices.Contains(personal, path) {
			return
		}
		last := path[strings.LastIndex(path, ".")+1:]
		for name, field := range fields {
			got, err := sealer.Open("alice", field, text)
			if opened := err == nil && strings.HasPrefix(got, "canary "); opened != (name == last) {
				t.Errorf("%s as %s: got %q, %v", path, field, got, err)
			}
			n++
		}
	})
	if n < len(fields)*len(personal) {
		t.Errorf("%d values were tried", n)
	}
}

// An empty list replaces what was there, and none at all leaves it: sealing keeps
// the difference.
func TestEmptyLists(t *testing.T) {
	inner := &recording{Store: memstore.New()}
	store := newSealer(t, newKey("a")).Store(inner)
	for _, c := range []core.Change{
		{ID: core.ID{1}},
		{ID: core.ID{2}, If: core.ID{1}, Put: []core.Session{}, Devices: []core.KnownDevice{}, Pending: []core.Pending{}, Foreign: []core.RevokedToken{}, SignIns: []time.Time{}, Networks: []core.KnownNetwork{}},
		{ID: core.ID{3}, If: core.ID{2}, Put: []core.Session{{}}, Devices: []core.KnownDevice{{}}, Networks: []core.KnownNetwork{{}}, Pending: []core.Pending{{}}},
	} {
		commit(t, store, "alice", c)
		if got, want := fmt.Sprintf("%#v", inner.last), fmt.Sprintf("%#v", c); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
