package core

import "time"

// The JSON shapes of the HTTP contract.

type sessionShape struct {
	ID         string         `json:"id"`
	Current    bool           `json:"current"`
	Device     deviceShape    `json:"device"`
	IP         string         `json:"ip"`
	Location   *locationShape `json:"location"`
	CreatedAt  time.Time      `json:"created_at"`
	LastSeenAt time.Time      `json:"last_seen_at"`
	ExpiresAt  time.Time      `json:"expires_at"`
	Risk       riskShape      `json:"risk"`
}

type deviceShape struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	ClientType string `json:"client_type"`
	Browser    string `json:"browser"`
	OS         string `json:"os"`
}

type locationShape struct {
	Country string `json:"country"`
	City    string `json:"city"`
}

type riskShape struct {
	Score   int          `json:"score"`
	Level   string       `json:"level"`
	Reasons []RiskReason `json:"reasons"`
}

func shapeSession(s *Session, current ID) sessionShape {
	out := sessionShape{
		ID:      s.ID.String(),
		Current: s.ID == current,
		Device: deviceShape{
			ID:         s.Device.ID,
			Name:       s.Device.Name,
			Type:       s.Device.Type,
			ClientType: s.Device.ClientType,
			Browser:    s.Device.Browser,
			OS:         s.Device.OS,
		},
		IP:         s.IP,
		CreatedAt:  s.CreatedAt,
		LastSeenAt: s.LastSeenAt,
		ExpiresAt:  s.ExpiresAt,
		Risk:       riskShape{Score: s.Risk.Score, Level: s.Risk.level(), Reasons: s.Risk.Reasons},
	}
	if s.Location != (Location{}) {
		out.Location = &locationShape{s.Location.Country, s.Location.City}
	}
	return out
}

func shapeSessions(sessions []Session, current ID) []sessionShape {
	out := make([]sessionShape, len(sessions))
	for i := range sessions {
		out[i] = shapeSession(&sessions[i], current)
	}
	return out
}

// level names a score for people.
func (r Risk) level() string {
	switch {
	case r.Score < riskMedium:
		return "low"
	case r.Score < riskHigh:
		return "medium"
	default:
		return "high"
	}
}

type pairShape struct {
	AccessToken      string       `json:"access_token"`
	TokenType        string       `json:"token_type"`
	ExpiresIn        int64        `json:"expires_in"`
	RefreshToken     string       `json:"refresh_token,omitempty"`
	RefreshExpiresIn int64        `json:"refresh_expires_in"`
	Session          sessionShape `json:"session"`
}

func shapePair(p *Pair) pairShape {
	out := pairShape{
		AccessToken:      p.AccessToken,
		TokenType:        "Bearer",
		ExpiresIn:        int64(p.ExpiresIn / time.Second),
		RefreshExpiresIn: int64(p.RefreshExpiresIn / time.Second),
		Session:          shapeSession(&p.Session, p.Session.ID),
	}
	if p.inBody {
		out.RefreshToken = p.RefreshToken
	}
	return out
}

type sessionsShape struct {
	Sessions []sessionShape `json:"sessions"`
	Count    int            `json:"count"`
}

type revokedShape struct {
	Message string `json:"message"`
	Revoked int    `json:"revoked"`
	Durable *bool  `json:"durable,omitempty"` // said only if it is not
}

type tokenShape struct {
	SessionID       string    `json:"session_id"`
	AccessTokenHash string    `json:"access_token_hash"`
	ClientType      string    `json:"client_type"`
	DeviceID        string    `json:"device_id"`
	DeviceName      string    `json:"device_name"`
	IssuedAt        time.Time `json:"issued_at"`
	ExpiresAt       time.Time `json:"expires_at"`
	IsExpired       bool      `json:"is_expired"`
	LastSeenAt      time.Time `json:"last_seen_at"`
}

type tokensShape struct {
	UserID string       `json:"user_id"`
	Count  int          `json:"count"`
	Tokens []tokenShape `json:"tokens"`
}

func shapeTokens(user string, tokens []TokenInfo) tokensShape {
	out := tokensShape{user, len(tokens), make([]tokenShape, len(tokens))}
	for i, t := range tokens {
		out.Tokens[i] = tokenShape{
			SessionID:       t.SessionID.String(),
			AccessTokenHash: t.AccessTokenHash,
			ClientType:      t.ClientType,
			DeviceID:        t.DeviceID,
			DeviceName:      t.DeviceName,
			IssuedAt:        t.IssuedAt,
			ExpiresAt:       t.ExpiresAt,
			IsExpired:       t.Expired,
			LastSeenAt:      t.LastSeenAt,
		}
	}
	return out
}

type countShape struct {
	UserID     string `json:"user_id"`
	TokenCount int    `json:"token_count"`
}

type lookupShape struct {
	UserID  string       `json:"user_id"`
	Session sessionShape `json:"session"`
}

type presenceShape struct {
	UserID       string         `json:"user_id"`
	TokenCount   int            `json:"token_count"`
	LastActiveAt time.Time      `json:"last_active_at"`
	Sessions     []sessionShape `json:"sessions"`
}

type onlineShape struct {
	Users []presenceShape `json:"users"`
}

func shapeOnline(online []Presence, current ID) onlineShape {
	out := onlineShape{make([]presenceShape, len(online))}
	for i, p := range online {
		out.Users[i] = presenceShape{p.UserID, len(p.Sessions), p.LastActiveAt, shapeSessions(p.Sessions, current)}
	}
	return out
}
