package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Sessions returns a user's live sessions, newest first.
func (a *Auth) Sessions(ctx context.Context, userID string) ([]Session, error) {
	l, now, err := a.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	return l.live(now), nil
}

// Count returns how many live sessions a user has.
func (a *Auth) Count(ctx context.Context, userID string) (int, error) {
	sessions, err := a.Sessions(ctx, userID)
	return len(sessions), err
}

// TokenInfo tells of a live session's newest access token that was recorded.
type TokenInfo struct {
	SessionID ID
	// AccessTokenHash is a short hash of the token's "jti", for people and
	// logs: 16 hexadecimal digits of SHA-256. Nothing is looked up by it.
	AccessTokenHash string
	ClientType      string
	DeviceID        string
	DeviceName      string
	IssuedAt        time.Time
	ExpiresAt       time.Time
	Expired         bool
	LastSeenAt      time.Time
}

// Tokens returns the newest access token of each of a user's live sessions,
// newest session first.
func (a *Auth) Tokens(ctx context.Context, userID string) ([]TokenInfo, error) {
	l, now, err := a.load(ctx, userID)
	if err != nil {
		return nil, err
	}
	var out []TokenInfo
	for _, s := range l.live(now) {
		out = append(out, TokenInfo{
			SessionID:       s.ID,
			AccessTokenHash: tokenHash(s.Access.JTI.String()),
			ClientType:      s.Device.ClientType,
			DeviceID:        s.Device.ID,
			DeviceName:      s.Device.Name,
			IssuedAt:        s.Access.IssuedAt,
			ExpiresAt:       s.Access.ExpiresAt,
			Expired:         !now.Before(s.Access.ExpiresAt),
			LastSeenAt:      s.LastSeenAt,
		})
	}
	return out, nil
}

// tokenHash shortens a jti for people and logs.
func tokenHash(jti string) string {
	sum := sha256.Sum256([]byte(jti))
	return hex.EncodeToString(sum[:8])
}

// Presence is a user who has a live session.
type Presence struct {
	UserID       string
	LastActiveAt time.Time
	Sessions     []Session // newest first
}

// Online returns those of some users who have a live session, in the order
// given, each once.
func (a *Auth) Online(ctx context.Context, userIDs ...string) ([]Presence, error) {
	for _, id := range userIDs {
		if err := checkUserID(id); err != nil {
			return nil, ErrBadRequest.because(err)
		}
	}
	ctx, cancel := a.detached(ctx)
	defer cancel()
	ledgers, err := a.store.LoadMany(ctx, userIDs)
	if err != nil {
		return nil, ErrStoreUnavailable.because(err)
	}
	var out []Presence
	for i, id := range userIDs {
		l := ledgers[id]
		live := l.live(a.dated(&l))
		if len(live) == 0 || slices.Contains(userIDs[:i], id) {
			continue
		}
		p := Presence{UserID: id, Sessions: live}
		for _, s := range live {
			p.LastActiveAt = latest(p.LastActiveAt, s.LastSeenAt)
		}
		out = append(out, p)
	}
	return out, nil
}

// Find returns the user and the live session of an authentic token, access or
// refresh, expired or not. Errors: ErrTokenNotFound, also for a foreign token,
// which has no session; ErrStoreUnavailable.
func (a *Auth) Find(ctx context.Context, token string) (userID string, s Session, err error) {
	t, err := a.open(token)
	if err != nil {
		return "", Session{}, ErrTokenNotFound.because(err)
	}
	l, now, err := a.load(ctx, t.userID)
	if err != nil {
		return "", Session{}, err
	}
	found := l.session(t.session, now)
	if found == nil {
		return "", Session{}, ErrTokenNotFound
	}
	return t.userID, *found, nil
}
