package core

import "time"

// NewBy is New by a clock of the test's.
func NewBy(c Config, now func() time.Time) (*Auth, error) {
	a, err := newAuth(c, now)
	if err == nil {
		a.start()
	}
	return a, err
}

// CachedTokens returns how many tokens are kept.
func (a *Auth) CachedTokens() int {
	a.cache.tokens.CleanUp()
	return a.cache.tokens.EstimatedSize()
}

// NoteSessions has the signs of life of other sessions gathered and returns of
// how many it is known what was noted.
func (a *Auth) NoteSessions(ids []ID) int {
	for _, id := range ids {
		a.uses.of(id)
	}
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	return len(a.uses.sessions)
}
