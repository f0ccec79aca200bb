package storetest

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/sallyport-go/sallyport/core"
)

var ledgerCases = []testCase{
	{
		"ledger/unknown-user",
		"A user of whom nothing is kept has the zero Ledger, and to load it is no error.",
		unknownUser,
	},
	{
		"ledger/put-and-end",
		"Put replaces the session of its id or adds it; End removes it, and passes over an unknown one; all others stay.",
		putAndEnd,
	},
	{
		"ledger/lists",
		"Devices, Pending and Foreign each replace their list: nil leaves it, an empty one clears it.",
		replaceLists,
	},
	{
		"ledger/forget",
		"Forget leaves the zero Ledger and publishes; the user can begin anew, with nothing of before.",
		forget,
	},
	{
		"ledger/users-are-bytes",
		"User ids are 1-255 bytes, compared as bytes: those that look, fold, trim, quote or match alike are different users.",
		usersAreBytes,
	},
	{
		"ledger/memory-not-kept",
		"A store keeps no memory that a caller handed in: to overwrite a Change after its Commit changes nothing.",
		memoryNotKept,
	},
	{
		"ledger/memory-not-handed-out",
		"A store hands out no memory that it keeps: to overwrite what Load, Commit or Tail returned changes nothing.",
		memoryNotHandedOut,
	},
}

func unknownUser(k *kit) {
	user := k.user()
	k.stands(user, core.Ledger{})
	k.commit(k.user(), k.filled(core.ID{}))
	k.stands(user, core.Ledger{})
}

func putAndEnd(k *kit) {
	user := k.user()
	var want core.Ledger
	step := func(edit func(c *core.Change)) {
		c := k.change(want.Version)
		c.Put = nil
		edit(&c)
		k.commit(user, c)
		want = c.Apply(want)
		k.stands(user, want)
	}
	a, b, d := k.session(), k.session(), k.session()
	step(func(c *core.Change) { c.Put = []core.Session{a, b} })
	step(func(c *core.Change) { c.Put = []core.Session{d} })
	b.Gen, b.Serial, b.MinSerial, b.UserAgent = 2, 3, 3, "later"
	step(func(c *core.Change) { c.Put = []core.Session{b} })
	step(func(c *core.Change) { c.End = []core.Ended{{ID: newID(), Reason: core.ReasonRevoked}} })
	step(func(c *core.Change) {
		c.Put = []core.Session{k.session()}
		c.End = []core.Ended{{ID: a.ID, Reason: core.ReasonEvicted}, {ID: newID(), Reason: core.ReasonExpired}}
	})
	step(func(*core.Change) {}) // touches nothing but version and time
	step(func(c *core.Change) {
		for _, s := range want.Sessions {
			c.End = append(c.End, core.Ended{ID: s.ID, Reason: core.ReasonSignedOutAll})
		}
	})
	step(func(c *core.Change) { c.Put = []core.Session{a} }) // an id may come back
}

func replaceLists(k *kit) {
	user := k.user()
	full := k.filled(core.ID{})
	want := full.Apply(core.Ledger{})
	k.commit(user, full)
	edits := []func(c *core.Change){
		func(*core.Change) {},
		func(c *core.Change) { c.Devices = k.filled(core.ID{}).Devices },
		func(c *core.Change) { c.Pending = k.filled(core.ID{}).Pending },
		func(c *core.Change) { c.Foreign = k.filled(core.ID{}).Foreign[:1] },
		func(c *core.Change) { c.Devices = want.Devices[:1] },
		func(c *core.Change) { c.Devices = []core.KnownDevice{} },
		func(c *core.Change) { c.Pending = []core.Pending{} },
		func(c *core.Change) { c.Foreign = []core.RevokedToken{} },
		func(c *core.Change) { c.Devices, c.Pending, c.Foreign = full.Devices, full.Pending, full.Foreign },
	}
	for _, edit := range edits {
		c := k.change(want.Version)
		c.Put = nil
		edit(&c)
		k.commit(user, c)
		want = c.Apply(want)
		k.stands(user, want)
	}
}

func forget(k *kit) {
	user := k.user()
	first := k.filled(core.ID{})
	k.commit(user, first)
	from := k.end()

	gone := core.Change{
		ID: newID(), If: first.ID, At: k.tick(), Forget: true,
		Publish: []core.Revocation{k.revocation()},
	}
	k.commit(user, gone)
	k.stands(user, core.Ledger{})

	// Sent again, there is no version left to know it by: either answer is right.
	if stands, err := k.store.Commit(k.ctx, user, gone); err != nil && k.isConflict(err) {
		k.same("the ledger that Commit returned with ErrConflict", stands, core.Ledger{})
	}
	k.stands(user, core.Ledger{})
	k.published(from, gone.Publish...)

	k.conflict(user, k.change(first.ID), core.Ledger{})
	k.conflict(user, k.change(gone.ID), core.Ledger{})
	anew := k.change(core.ID{})
	k.commit(user, anew)
	k.stands(user, anew.Apply(core.Ledger{}))
}

func usersAreBytes(k *kit) {
	want := map[string]core.Ledger{}
	for _, user := range names {
		k.forgetUser(user)
	}
	for i, user := range names {
		c := k.change(core.ID{})
		c.Put[0].UserAgent = fmt.Sprint(i)
		k.commit(user, c)
		want[user] = c.Apply(core.Ledger{})
	}
	for _, user := range names {
		k.stands(user, want[user])
	}
	for i, user := range names {
		if i%2 == 0 {
			k.forgetUser(user)
			want[user] = core.Ledger{}
		}
	}
	for _, user := range names {
		k.stands(user, want[user])
	}
	for _, user := range names {
		k.forgetUser(user)
	}
}

// forgetUser makes a user unknown who has a fixed name, and may be known from
// an earlier run.
func (k *kit) forgetUser(user string) {
	if l := k.load(user); !l.Version.IsZero() {
		k.commit(user, core.Change{ID: newID(), If: l.Version, At: k.tick(), Forget: true})
	}
}

func memoryNotKept(k *kit) {
	user := k.user()
	from := k.end()
	c := k.filled(core.ID{})
	c.Publish = []core.Revocation{k.revocation(), k.revocation()}
	publish := slices.Clone(c.Publish)
	want := c.Apply(core.Ledger{})
	k.commit(user, c)
	scramble(reflect.ValueOf(&c))
	k.stands(user, want)
	k.published(from, publish...)

	ended := k.filled(want.Version)
	ended.End = []core.Ended{{ID: want.Sessions[0].ID, Reason: core.ReasonRevoked}}
	want = ended.Apply(want)
	k.commit(user, ended)
	scramble(reflect.ValueOf(&ended))
	k.stands(user, want)
}

func memoryNotHandedOut(k *kit) {
	user := k.user()
	from := k.end()
	c := k.filled(core.ID{})
	c.Publish = []core.Revocation{k.revocation(), k.revocation()}
	want := c.Apply(core.Ledger{})
	publish := slices.Clone(c.Publish)
	k.commit(user, c)

	loaded := k.load(user)
	scramble(reflect.ValueOf(&loaded))
	k.stands(user, want)

	stands, err := k.store.Commit(k.ctx, user, k.change(core.ID{}))
	k.isConflict(err)
	scramble(reflect.ValueOf(&stands))
	k.stands(user, want)

	batch := k.tail(from, 0)
	scramble(reflect.ValueOf(&batch))
	k.published(from, publish...)
}
