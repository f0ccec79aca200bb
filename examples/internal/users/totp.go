package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/sallyport-go/sallyport/core"
)

// EnrollWithin is how long after signing in a user may get a second factor: whoever
// finds a browser open later must not.
const EnrollWithin = 5 * time.Minute

// What is refused of a second factor. The codes are this app's own, but for that of
// a wrong one.
var (
	ErrWrongCode       = &core.Error{Code: core.ErrInvalidCredentials.Code, Status: 401, Detail: "the code is wrong, or was used before"}
	ErrTOTPEnrolled    = &core.Error{Code: "TOTP_ENROLLED", Status: 409, Detail: "the user has a second factor"}
	ErrTOTPNotEnrolled = &core.Error{Code: "TOTP_NOT_ENROLLED", Status: 409, Detail: "no second factor waits to be confirmed"}
)

// generator is a user's authenticator app (TOTP, RFC 6238). Its secret is kept as it
// is, in memory; an app that keeps it elsewhere encrypts it.
type generator struct {
	secret    string // base32; "": there is none
	confirmed bool
	used      int64 // the last time step of which a code was good
}

const (
	totpPeriod = 30 // seconds, RFC 6238 section 5.2
	totpSkew   = 1  // time steps that a clock may be off
)

// EnrollTOTP gives a user a generator, which counts once [Users.ConfirmTOTP] has seen
// a code of it. It returns its secret and the URL that a QR code has; nobody is told
// them again. Until it is confirmed another may take its place; then the error is
// ErrTOTPEnrolled.
func (u *Users) EnrollTOTP(id string) (secret, url string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "sallyport", AccountName: id, Period: totpPeriod})
	if err != nil {
		return "", "", fmt.Errorf("making a secret: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	found, known := u.users[id]
	switch {
	case !known:
		return "", "", ErrNotFound
	case found.totp.confirmed:
		return "", "", ErrTOTPEnrolled
	}
	found.totp = generator{secret: key.Secret()}
	u.users[id] = found
	return key.Secret(), key.String(), nil
}

// ConfirmTOTP has every sign-in of a user from now on ask for a code. It uses code up.
// Errors: ErrWrongCode, ErrTOTPNotEnrolled, ErrTOTPEnrolled.
func (u *Users) ConfirmTOTP(id, code string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := u.users[id]
	switch {
	case found.totp.confirmed:
		return ErrTOTPEnrolled
	case found.totp.secret == "":
		return ErrTOTPNotEnrolled
	}
	if err := found.totp.use(code, time.Now()); err != nil {
		return err
	}
	found.totp.confirmed = true
	u.users[id] = found
	return nil
}

// SecondFactor is a core.StepUpForm.Verify for one code, which is good once, however
// many present it at the same time.
func (u *Users) SecondFactor(code string) func(context.Context, string) ([]string, error) {
	return func(_ context.Context, id string) ([]string, error) {
		u.mu.Lock()
		defer u.mu.Unlock()
		found := u.users[id]
		if !found.totp.confirmed {
			return nil, ErrWrongCode
		}
		if err := found.totp.use(code, time.Now()); err != nil {
			return nil, err
		}
		u.users[id] = found
		return []string{"pwd", "otp"}, nil
	}
}

// use takes the code of a time step that is later than the last one which was good:
// none is good twice (RFC 6238 section 5.2). All of them are looked at.
func (g *generator) use(code string, now time.Time) error {
	step := now.Unix() / totpPeriod
	matched := int64(0)
	for s := step - totpSkew; s <= step+totpSkew; s++ {
		same, err := hotp.ValidateCustom(code, uint64(s), g.secret, hotp.ValidateOpts{Digits: otp.DigitsSix})
		switch {
		case errors.Is(err, otp.ErrValidateInputInvalidLength):
			return ErrWrongCode
		case err != nil:
			return fmt.Errorf("comparing a code: %w", err)
		case same && s > g.used:
			matched = s
		}
	}
	if matched == 0 {
		return ErrWrongCode
	}
	g.used = matched
	return nil
}
