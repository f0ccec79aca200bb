package core

// Limits say how often something may be tried, in a minute and as many at once. 0 is
// the recommended setting; negative: without limit.
type Limits struct {
	// Off switches every limit off.
	Off bool
	// Login is how many sign-ins are tried of one account, right or wrong; of one
	// address (IPv6: /64) ten times as many. A browser whose device cookie says
	// that it has signed in to the account before has a count of its own, so that others
	// can't lock its user out. 0: 10.
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

// settle fills in the defaults. 0 then is without limit.
func (l *Limits) settle() {
	for _, limit := range []struct {
		count     *int
		byDefault int
	}{{&l.Login, 10}, {&l.StepUp, 5}, {&l.Refresh, 60}, {&l.LogoutAll, 10}, {&l.Lookup, 60}} {
		switch {
		case l.Off || *limit.count < 0:
			*limit.count = 0
		case *limit.count == 0:
			*limit.count = limit.byDefault
		}
	}
}
