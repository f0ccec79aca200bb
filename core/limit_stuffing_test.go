package core_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/sallyport-go/sallyport/core"
)

// stuffing is a run of stolen lists of passwords against many accounts, while users sign
// in: some in browsers that they have used before, some in new ones.
type stuffing struct {
	attempts, accounts, addresses int
	known, fresh                  int // users who sign in
	within                        time.Duration
}

// stuffed is what came of it.
type stuffed struct {
	looked   int            // attempts whose password was looked at
	right    int            // attempts with a right password
	in       int            // that got in
	reasons  map[string]int // of their risk
	least    int            // of their scores
	unseen   int            // that got in and do not say from what, and after what
	refused  map[string]int // users, by "known" or "fresh" and the limit
	byLimit  map[string]int // attempts that were refused
	unaudits int            // refusals without a record, or with two
}

func (s stuffing) run(t *testing.T) (out stuffed) {
	out.reasons, out.refused, out.byLimit = map[string]int{}, map[string]int{}, map[string]int{}
	onDesk(t, nil, func(t *testing.T, d *desk) {
		random := rand.New(rand.NewPCG(3, 4))
		user := func(i int) string { return fmt.Sprint("user", i) }
		homes := make([]string, s.accounts)
		for i := range homes { // all have a past
			homes[i] = d.expect("before", at(i<<8), user(i), passwordOf(user(i)), ok).Device
		}
		elapse(time.Hour)
		type visit struct {
			at      time.Duration
			kind    string
			account int
			from    browser
			right   bool
		}
		var visits []visit
		for i := range s.attempts {
			visits = append(visits, visit{
				at: time.Duration(random.Int64N(int64(s.within))), kind: "attack", account: i % s.accounts,
				from: at(8_000_000 + random.IntN(s.addresses)<<8), right: random.IntN(50) == 0,
			})
		}
		for i, account := range random.Perm(s.accounts)[:s.known+s.fresh] {
			v := visit{at: time.Duration(random.Int64N(int64(s.within))), kind: "known", account: account, from: at(account << 8), right: true}
			v.from.device = homes[account]
			if i >= s.known {
				v.kind, v.from = "fresh", at(account<<8+7)
			}
			visits = append(visits, v)
		}
		slices.SortStableFunc(visits, func(a, b visit) int { return cmp.Compare(a.at, b.at) })
		now, failed, entered := time.Duration(0), map[int]time.Duration{}, map[int]bool{}
		for _, v := range visits {
			elapse(v.at - now)
			now = v.at
			password := "stolen elsewhere"
			if v.right {
				password = passwordOf(user(v.account))
			}
			d.trail.take()
			a := d.login(v.from, user(v.account), password)
			events := d.trail.of(core.EventLimited)
			if (len(events) == 1) != (a.status == limited) {
				out.unaudits++
			}
			if v.kind != "attack" {
				if a.status != ok {
					out.refused[v.kind+" "+events[0].Cause]++
				}
				continue
			}
			if v.right {
				out.right++
			}
			switch a.status {
			case limited:
				out.byLimit[events[0].Cause]++
				continue
			case ok:
				out.in++
				codes := map[string]bool{}
				for _, r := range a.Session.Risk.Reasons {
					out.reasons[r.Code]++
					codes[r.Code] = true
				}
				out.least = min(cmp.Or(out.least, 100), a.Session.Risk.Score)
				at, tried := failed[v.account]
				if lately := tried && now-at < 150*time.Second; lately && !codes[core.RiskFailedAttempts] || !codes[core.RiskNewDevice] || !codes[core.RiskNewNetwork] && !entered[v.account] {
					out.unseen++
				}
				entered[v.account] = true // the network may be the same next time
			case unauthorized:
				failed[v.account] = now
			}
			out.looked++
		}
	})
	return out
}

// Passwords that were stolen elsewhere are tried from few and from many addresses: no
// user is shut out of a browser that is known, and what gets in is seen to be unusual.
// With SALLYPORT_PROOF: the figures of the operations guide.
func TestProofStuffing(t *testing.T) {
	full := os.Getenv("SALLYPORT_PROOF") != ""
	for _, few := range []bool{true, false} {
		for _, within := range []time.Duration{10 * time.Second, 10 * time.Minute} {
			s := stuffing{attempts: 1500, accounts: 100, addresses: 500, known: 20, fresh: 5, within: within}
			if full {
				s = stuffing{attempts: 10_000, accounts: 1000, addresses: 5000, known: 200, fresh: 50, within: within}
			}
			if few {
				s.addresses /= 100
			}
			got := s.run(t)
			t.Logf("%+v:\n\t%+v", s, got)
			minutes := 1 + within.Minutes()
			if most := float64(s.addresses) * 100 * minutes; float64(got.looked) > most {
				t.Errorf("%+v: %d passwords were looked at, want at most %v of the addresses", s, got.looked, most)
			}
			if most := float64(s.accounts) * 10 * minutes; float64(got.looked) > most {
				t.Errorf("%+v: %d passwords were looked at, want at most %v of the accounts", s, got.looked, most)
			}
			if got.right == 0 || got.in == 0 || got.unseen > 0 || got.least < 30 || got.unaudits > 0 {
				t.Errorf("%+v: got %+v, want those who got in to be seen", s, got)
			}
			if n := got.refused["known login_account"] + got.refused["known login_device"] + got.refused["known login_address"]; n > 0 {
				t.Errorf("%+v: %d users were shut out of browsers that are known: %v", s, n, got.refused)
			}
			if full {
				continue
			}
			limit := map[bool]string{true: "login_address", false: "login_account"}[few]
			if hasty := within < time.Minute; hasty != (got.byLimit[limit] > 0) {
				t.Errorf("%+v: refused %v, want some by %s only of the hasty", s, got.byLimit, limit)
			}
			if diff := gocmp.Diff(got, s.run(t), gocmp.AllowUnexported(stuffed{})); few && within < time.Minute && diff != "" {
				t.Errorf("the same again (-first +second):\n%s", diff)
			}
		}
	}
}
