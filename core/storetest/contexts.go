package storetest

import (
	"context"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

var contextCases = []testCase{
	{
		"context/done",
		"A method whose context is done returns an error, and a Commit then is half done in no way.",
		contextDone,
	},
	{
		"context/cut",
		"A Commit that is cut off in the middle took place whole or not at all: sent again, it has taken place once.",
		contextCut,
	},
}

func contextDone(k *kit) {
	user := k.user()
	first := k.filled(core.ID{})
	k.commit(user, first)
	stood := first.Apply(core.Ledger{})
	from := k.end()
	done, cancel := context.WithCancel(k.ctx)
	cancel()

	fails := func(what string, err error) {
		if err == nil {
			k.errorf("%s with a context that is done: got no error, want one", what)
		}
	}
	_, err := k.store.Load(done, user)
	fails("Load", err)
	_, err = k.store.Load(done, k.user())
	fails("Load of an unknown user", err)
	_, err = k.store.Tail(done, from, 0)
	fails("Tail", err)
	_, err = k.store.Tail(done, "", time.Hour)
	fails("Tail from the zero cursor", err)
	if many, ok := k.store.(core.ManyLoader); ok {
		_, err = many.LoadMany(done, []string{user})
		fails("LoadMany", err)
	}

	c := k.filled(first.ID)
	c.Publish = k.revocations(2)
	_, err = k.store.Commit(done, user, c)
	fails("Commit", err)
	k.commit(user, c)
	k.stands(user, c.Apply(stood))
	k.published(from, c.Publish...)
}

func contextCut(k *kit) {
	user := k.user()
	from := k.end()
	var want core.Ledger
	var published []core.Revocation
	for range 20 {
		c := k.change(want.Version, k.revocations(2)...)
		ctx, cancel := context.WithCancel(k.ctx)
		k.parallel(
			cancel,
			func() {
				if stands, err := k.store.Commit(ctx, user, c); err != nil && ctx.Err() == nil {
					k.errorf("Commit: got error %v and version %v, want none", err, stands.Version)
				}
			},
		)
		k.commit(user, c)
		want = c.Apply(want)
		published = append(published, c.Publish...)
		k.stands(user, want)
	}
	k.published(from, published...)
}
