package storetest

import (
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var versionCases = []testCase{
	{
		"version/is-the-change",
		"A ledger has the ID of the last change committed to it as its Version, and that change's time as its At.",
		versionIsTheChange,
	},
	{
		"version/stale",
		"A change that was decided on another version gets ErrConflict and what stands now; it changes nothing and publishes nothing.",
		staleVersion,
	},
	{
		"version/first",
		"A change for an unknown user is refused to a known one, and one for a known user to an unknown one, who stays unknown.",
		firstVersion,
	},
	{
		"version/sent-again",
		"A change that is sent again after its reply was lost succeeds, and is applied and published once.",
		sentAgain,
	},
	{
		"version/sent-again-late",
		"A change that is sent again after others were committed gets ErrConflict: it is neither new nor the last one.",
		sentAgainLate,
	},
}

func versionIsTheChange(k *kit) {
	user := k.user()
	var version core.ID
	for range 3 {
		c := k.change(version)
		c.At = c.At.Add(7 * time.Millisecond)
		k.commit(user, c)
		got := k.load(user)
		if got.Version != c.ID || !got.At.Equal(c.At) {
			k.errorf("got version %v of %s, want %v of %s", got.Version, show(got.At), c.ID, show(c.At))
		}
		version = c.ID
	}
}

func staleVersion(k *kit) {
	user := k.user()
	first := k.filled(core.ID{})
	second := k.filled(first.ID)
	k.commit(user, first)
	k.commit(user, second)
	want := second.Apply(first.Apply(core.Ledger{}))
	from := k.end()

	for _, version := range []core.ID{first.ID, newID()} {
		stale := k.filled(version)
		stale.Publish = k.revocations(2)
		stale.End = []core.Ended{{ID: second.Put[0].ID, Reason: core.ReasonRevoked}}
		k.conflict(user, stale, want)
		k.stands(user, want)

		k.conflict(user, core.Change{
			ID: newID(), If: version, At: k.tick(), Forget: true, Publish: k.revocations(1),
		}, want)
		k.stands(user, want)
	}
	k.published(from)

	third := k.change(second.ID, k.revocation()) // none of it is in the way
	k.commit(user, third)
	k.stands(user, third.Apply(want))
	k.published(from, third.Publish...)
}

func firstVersion(k *kit) {
	known, unknown := k.user(), k.user()
	first := k.change(core.ID{})
	k.commit(known, first)
	want := first.Apply(core.Ledger{})
	from := k.end()

	k.conflict(known, k.change(core.ID{}, k.revocation()), want)
	k.stands(known, want)
	k.conflict(unknown, k.change(newID(), k.revocation()), core.Ledger{})
	k.conflict(unknown, k.change(first.ID, k.revocation()), core.Ledger{}) // another user's version
	k.stands(unknown, core.Ledger{})
	k.published(from)

	second := k.change(core.ID{}, k.revocation())
	k.commit(unknown, second)
	k.stands(unknown, second.Apply(core.Ledger{}))
	k.published(from, second.Publish...)
}

func sentAgain(k *kit) {
	user := k.user()
	from := k.end()
	var want core.Ledger
	var published []core.Revocation
	for range 3 {
		c := k.filled(want.Version)
		c.Publish = k.revocations(2)
		for _, s := range want.Sessions[:len(want.Sessions)/2] {
			c.End = append(c.End, core.Ended{ID: s.ID, Reason: core.ReasonTrimmed})
		}
		want = c.Apply(want)
		published = append(published, c.Publish...)
		for range 3 {
			k.commit(user, c)
			k.stands(user, want)
		}
		k.published(from, published...)
	}
}

func sentAgainLate(k *kit) {
	user := k.user()
	from := k.end()
	var want core.Ledger
	var sent []core.Change
	var published []core.Revocation
	for range 4 {
		c := k.change(want.Version, k.revocation())
		k.commit(user, c)
		want = c.Apply(want)
		sent = append(sent, c)
		published = append(published, c.Publish...)
	}
	for _, c := range sent[:3] {
		k.conflict(user, c, want)
		k.stands(user, want)
	}
	k.commit(user, sent[3])
	k.stands(user, want)
	k.published(from, published...)
}
