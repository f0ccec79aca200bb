package core

import (
	"context"
	"fmt"
	"time"
)

// From these scores on a risk is called medium, and high.
const (
	riskMedium = 30
	riskHigh   = 70
)

// Scorer says how unusual a sign-in is.
type Scorer interface {
	// Score returns 0 to 100 and a reason for every point of it, by what the
	// Evidence says alone: the same evidence has the same score. It is called by many
	// goroutines with a context that ends after RiskPolicy.Timeout. If it fails, says
	// what is no score, or does not answer by then, the score is that of [Score].
	Score(ctx context.Context, e Evidence) (Risk, error)
}

// Evidence is what is known of a sign-in, or of a refresh that comes from elsewhere
// than the one before, and of the user's past. A Scorer's lists are its own.
type Evidence struct {
	Now    time.Time
	Device Device
	IP     string
	Place  Place
	// Past are the devices and live sessions of the user, but for sessions of a risk of
	// 70 or more, the one seen last first.
	// None: this is the first sign-in that is known of.
	Past []Sighting
	// Networks are those that the user was seen in, at most 16.
	Networks []KnownNetwork
	// SignIns are the times of the last sign-ins, the latest first, at most 24.
	SignIns []time.Time
	// ReusedAt is when a spent refresh token of the user came back last; zero: never.
	ReusedAt time.Time
	// ReplayedAt is when one was presented late and forgiven last; zero: never.
	ReplayedAt time.Time
	// Failures are how many sign-ins to this account have failed in the last minutes.
	Failures int
}

// Sighting is where and on what a user was seen.
type Sighting struct {
	Device      Device
	FirstSeenAt time.Time
	LastSeenAt  time.Time
	IP          string
	Place       Place
}

// RiskPolicy says what follows from the score of a sign-in. 0 as a threshold: never,
// but for Notify. With StepUp or Deny a sign-in that is served from memory, of a user of
// whom the process knows nothing, is refused with ErrStoreUnavailable.
type RiskPolicy struct {
	// Notify is the score from which Config.Notify is told: of a sign-in, and of a
	// session that reaches it later, or 70. 0: 30. Negative: never.
	Notify int
	// StepUp is the score from which a second factor is asked for, see [Auth.StepUp].
	StepUp int
	// Deny is the score from which a sign-in is refused.
	Deny int
	// Timeout bounds what Resolver and Scorer may take of one sign-in. 0: 250 ms.
	Timeout time.Duration
}

// Notice tells of a sign-in, or of a session that turned unusual, of which its user
// should hear.
type Notice struct {
	Time   time.Time
	UserID string
	// Session is what began, or what would have.
	Session Session
	// Outcome is EventSignedIn, EventStepUpRequired, EventRiskDenied or EventRiskRaised.
	Outcome EventName
}

// settle fills in the defaults and returns what is wrong.
func (p *RiskPolicy) settle() []error {
	var wrong []error
	if p.Notify == 0 {
		p.Notify = riskMedium
	}
	for _, threshold := range []struct {
		name  string
		value int
	}{{"Notify", max(p.Notify, 0)}, {"StepUp", p.StepUp}, {"Deny", p.Deny}} {
		if threshold.value < 0 || threshold.value > 100 {
			wrong = append(wrong, fmt.Errorf("sallyport: Config.Risk.%s: %d is not between 0 and 100", threshold.name, threshold.value))
		}
	}
	if p.StepUp > 0 && p.Deny > 0 && p.StepUp >= p.Deny {
		wrong = append(wrong, fmt.Errorf("sallyport: Config.Risk: StepUp, %d, is not below Deny, %d", p.StepUp, p.Deny))
	}
	if p.Timeout == 0 {
		p.Timeout = 250 * time.Millisecond
	}
	if p.Timeout < time.Millisecond || p.Timeout > 10*time.Second {
		wrong = append(wrong, fmt.Errorf("sallyport: Config.Risk.Timeout: %v is not between 1ms and 10s", p.Timeout))
	}
	return wrong
}
