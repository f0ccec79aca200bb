package core

import "fmt"

// Limits say how often something may be tried, in a minute and as many at once. 0 is
// the recommended setting; negative: without limit. The most is 1,000,000.
type Limits struct {
	// Off switches every limit off.
	Off bool
	// Login is how many sign-ins are tried of one account, right or wrong; of one
	// address (IPv6: /64) ten times as many. A browser whose device cookie says
	// that it has signed in to the account before, or given the right password, has a
	// count of its own, so that who never had the password can't lock its user out; all
	// such browsers together ten times as much. 0: 10.
	Login int
	// StepUp is how many second factors are tried of one user. 0: 5.
	StepUp int
	// Refresh is how many refreshes of one session are answered. 0: 60.
	Refresh int
	// LogoutAll is how often one user signs out everywhere. 0: 10.
	LogoutAll int
	// Lookup is how many tokens one administrator looks up. 0: 60.
	Lookup int
}

const limitMost = 1_000_000

// settle fills in the defaults and returns what is wrong. 0 then is without limit.
func (l *Limits) settle() []error {
	var wrong []error
	for _, limit := range []struct {
		name      string
		count     *int
		byDefault int
	}{{"Login", &l.Login, 10}, {"StepUp", &l.StepUp, 5}, {"Refresh", &l.Refresh, 60}, {"LogoutAll", &l.LogoutAll, 10}, {"Lookup", &l.Lookup, 60}} {
		switch {
		case l.Off || *limit.count < 0:
			*limit.count = 0
		case *limit.count == 0:
			*limit.count = limit.byDefault
		case *limit.count > limitMost:
			wrong = append(wrong, fmt.Errorf("sallyport: Config.Limits.%s: %d is more than %d", limit.name, *limit.count, limitMost))
		}
	}
	return wrong
}
