package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

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
		"Devices, Networks, Pending and Foreign each replace their list: nil leaves it, an empty one clears it.",
		replaceLists,
	},
	{
		"ledger/sign-ins",
		"SignIns replaces the list of up to 24 times, which stays the latest first, and has twice what was given twice: nil leaves it, an empty one clears it.",
		replaceSignIns,
	},
	{
		"ledger/times",
		"RevokedAt and ReusedAt each replace what was there, earlier or later; zero leaves it.",
		replaceTimes,
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
		func(c *core.Change) { c.Networks = k.filled(core.ID{}).Networks },
		func(c *core.Change) { c.Pending = k.filled(core.ID{}).Pending },
		func(c *core.Change) { c.Foreign = k.filled(core.ID{}).Foreign[:1] },
		func(c *core.Change) { c.Devices = want.Devices[:1] },
		func(c *core.Change) { c.Networks = want.Networks[1:] },
		func(c *core.Change) { c.Devices = []core.KnownDevice{} },
		func(c *core.Change) { c.Networks = []core.KnownNetwork{} },
		func(c *core.Change) { c.Pending = []core.Pending{} },
		func(c *core.Change) { c.Foreign = []core.RevokedToken{} },
		func(c *core.Change) { c.Devices, c.Pending, c.Foreign = full.Devices, full.Pending, full.Foreign },
		func(c *core.Change) { c.Networks = full.Networks },
	}
	k.changes(user, &want, edits)
}

// changes makes changes that put no session, one after the other, and says what stands
// after each.
func (k *kit) changes(user string, stands *core.Ledger, edits []func(c *core.Change)) {
	for _, edit := range edits {
		c := k.change(stands.Version)
		c.Put = nil
		edit(&c)
		k.commit(user, c)
		*stands = c.Apply(*stands)
		k.stands(user, *stands)
	}
}

func replaceSignIns(k *kit) {
	at := func(minutes ...int) []time.Time {
		list := []time.Time{}
		for _, m := range minutes {
			list = append(list, k.in(-1).Add(time.Duration(-m)*time.Minute-time.Millisecond))
		}
		return list
	}
	set := func(list []time.Time) func(*core.Change) { return func(c *core.Change) { c.SignIns = list } }
	var many []int
	for i := range 24 {
		many = append(many, 1000*i)
	}
	k.changes(k.user(), new(core.Ledger), []func(*core.Change){
		set(at(0)),
		set(nil),
		set(at(5, 7)), // none of those before
		set(at(2, 5, 5, 5, 7)),
		set(at(3)),
		set(at(many...)),
		set(nil),
		set(at()),
		set(nil),
		set(at(0, 0, 300*24*60)),
	})
}

func replaceTimes(k *kit) {
	set := func(revoked, reused int) func(*core.Change) {
		return func(c *core.Change) {
			if revoked != 0 {
				c.RevokedAt = k.in(revoked).Add(7 * time.Millisecond)
			}
			if reused != 0 {
				c.ReusedAt = k.in(reused).Add(9 * time.Millisecond)
			}
		}
	}
	k.changes(k.user(), new(core.Ledger), []func(*core.Change){
		set(0, 0), set(0, -5), set(0, 0), set(-4, 0), set(0, -6), set(0, -3), set(-7, -2), set(0, 0), set(-1, 0),
	})
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
