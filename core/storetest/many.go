package storetest

import (
	"reflect"

	"github.com/sallyport-go/sallyport/core"
)

var loadManyCases = []testCase{
	{
		"load-many/as-load",
		"LoadMany returns what Load would, without those of whom nothing is kept; of nobody it returns nothing.",
		loadManyAsLoad,
	},
	{
		"load-many/memory-not-handed-out",
		"LoadMany hands out no memory that the store keeps.",
		loadManyMemory,
	},
}

func (k *kit) loadMany(users ...string) map[string]core.Ledger {
	many, ok := k.store.(core.ManyLoader)
	if !ok {
		k.skip("the store is no core.ManyLoader")
	}
	ledgers, err := many.LoadMany(k.ctx, users)
	if err != nil {
		k.fatalf("LoadMany: got error %v, want none", err)
	}
	return ledgers
}

func loadManyAsLoad(k *kit) {
	if got := len(k.loadMany()); got != 0 {
		k.errorf("LoadMany of nobody: got %d ledgers, want none", got)
	}
	if got := len(k.loadMany(k.user(), k.user())); got != 0 {
		k.errorf("LoadMany of two unknown users: got %d ledgers, want none", got)
	}

	want := map[string]core.Ledger{}
	var users []string
	for i := range 40 {
		user := k.user()
		users = append(users, user, k.user()) // every other one is unknown
		c := k.change(core.ID{})
		if i%8 == 0 {
			c = k.filled(core.ID{})
		}
		k.commit(user, c)
		want[user] = c.Apply(core.Ledger{})
	}
	forgotten := users[0]
	k.commit(forgotten, core.Change{ID: newID(), If: want[forgotten].Version, At: k.tick(), Forget: true})
	delete(want, forgotten)

	users = append(users, users[2], users[2]) // nor does it matter who is named twice
	got := k.loadMany(users...)
	if len(got) != len(want) {
		k.errorf("LoadMany: got %d ledgers, want %d", len(got), len(want))
	}
	for user := range want {
		k.same("the ledger of "+short(user)+" by LoadMany", got[user], want[user])
	}
}

func loadManyMemory(k *kit) {
	user := k.user()
	c := k.filled(core.ID{})
	k.commit(user, c)
	l := k.loadMany(user)[user]
	scramble(reflect.ValueOf(&l))
	k.stands(user, c.Apply(core.Ledger{}))
	k.same("the ledger by LoadMany", k.loadMany(user)[user], c.Apply(core.Ledger{}))
}
