package storetest

import (
	"bytes"
	"fmt"

	"github.com/sallyport-go/sallyport/core"
)

var valueCases = []testCase{
	{
		"value/every-field",
		"A ledger comes back as it was committed, every field of every struct: times in UTC and to the millisecond, text and bytes unchanged.",
		everyField,
	},
	{
		"value/zero-fields",
		"What was zero comes back zero, also where it was set before: no time, number, text or list is made up or left over.",
		zeroFields,
	},
	{
		"value/large-numbers",
		"Generations and serials keep all their digits, up to AllSerials.",
		largeNumbers,
	},
	{
		"value/large-ledger",
		"A ledger may hold 256 sessions and 64 KiB of claims in one of them, and change in one step.",
		largeLedger,
	},
	{
		"value/revocation",
		"A revocation comes back from the feed as it was published, every field.",
		revocationFields,
	},
}

func everyField(k *kit) {
	user := k.user()
	first := k.filled(core.ID{})
	k.commit(user, first)
	want := first.Apply(core.Ledger{})
	k.stands(user, want)

	second := k.filled(first.ID) // the same by another way, where a store updates
	second.Put[0].ID = first.Put[0].ID
	k.commit(user, second)
	k.stands(user, second.Apply(want))
}

func zeroFields(k *kit) {
	user := k.user()
	full := k.filled(core.ID{})
	k.commit(user, full)

	bare := core.Change{
		ID: newID(), If: full.ID, At: k.tick(), KeepUntil: k.in(48),
		Put:     []core.Session{{ID: full.Put[0].ID}, {ID: newID()}},
		Devices: []core.KnownDevice{{Device: core.Device{ID: full.Devices[0].ID}}},
		Pending: []core.Pending{{Session: core.Session{ID: full.Pending[0].Session.ID}}},
		Foreign: []core.RevokedToken{{JTI: full.Foreign[0].JTI}},
	}
	k.commit(user, bare)
	want := bare.Apply(full.Apply(core.Ledger{}))
	k.stands(user, want)

	again := k.change(bare.ID) // what is read and written back stays as it is
	again.Put = k.load(user).Sessions
	k.commit(user, again)
	k.stands(user, again.Apply(want))
}

func largeNumbers(k *kit) {
	user := k.user()
	c := k.change(core.ID{})
	c.Put = nil
	for _, n := range []uint64{0, 1, 1<<31 - 1, 1 << 31, 1 << 32, 1<<53 + 1, core.AllSerials - 1, core.AllSerials} {
		s := k.session()
		s.Gen, s.Serial, s.MinSerial = n, n, n
		c.Put = append(c.Put, s)
	}
	k.commit(user, c)
	k.stands(user, c.Apply(core.Ledger{}))
}

func largeLedger(k *kit) {
	user := k.user()
	claims := fmt.Appendf(nil, `{"a":"%s"}`, bytes.Repeat([]byte("0123456789 <é> "), 4096))[:64<<10-2]
	claims = append(claims, `"}`...)

	full := k.change(core.ID{})
	full.Put = nil
	for range 256 {
		full.Put = append(full.Put, k.session())
	}
	full.Put[17].Claims = claims
	full.Devices = k.filled(core.ID{}).Devices
	k.commit(user, full)
	want := full.Apply(core.Ledger{})
	k.stands(user, want)

	one := k.change(full.ID)
	one.Put = full.Put[200:201]
	one.Put[0].Gen, one.Put[0].Claims = 2, claims
	k.commit(user, one)
	want = one.Apply(want)
	k.stands(user, want)

	all := k.change(one.ID)
	all.Put = nil
	for _, s := range full.Put[1:] {
		all.End = append(all.End, core.Ended{ID: s.ID, Reason: core.ReasonSignedOutAll})
		all.Publish = append(all.Publish, k.mine(core.Revocation{Session: s.ID, MinSerial: core.AllSerials, Until: k.in(24)}))
	}
	from := k.end()
	k.commit(user, all)
	k.stands(user, all.Apply(want))
	k.published(from, all.Publish...)
}

func revocationFields(k *kit) {
	from := k.end()
	c := k.change(core.ID{}, k.filledRevocations()...)
	c.Publish = append(c.Publish,
		k.mine(core.Revocation{Session: newID(), MinSerial: 1, Until: k.in(24)}),
		k.mine(core.Revocation{JTI: "foreign " + hostile + newID().String(), Until: k.in(24)}), // of no session
	)
	k.commit(k.user(), c)
	k.published(from, c.Publish...)
	k.published("", c.Publish...)
}
