package core

import (
	"encoding/binary"
	"errors"
	"time"
)

// refreshToken is a position: a session and one of its generations. It is
// derived, never kept. Its text is "sprt_" and base64url, without padding, of
//
//	byte 0       version, 1
//	bytes 1-4    id of the secret (HKDF-SHA256)
//	bytes 5-20   session id
//	then         generation, 1 or more, as an unsigned varint of 1-10 bytes,
//	             least significant group first, shortest form
//	then         user id, 1-255 bytes of UTF-8, as far as the MAC
//	last 32      HMAC-SHA-256 of "sprt_" and all bytes before
//
// which is 79 to 429 characters. For one secret there is one text to a
// position, so that a successor that is asked for again is the same.
type refreshToken struct {
	Session ID
	Gen     uint64
	User    string
}

func (t refreshToken) check() error {
	if t.Session.IsZero() || t.Gen == 0 {
		return errors.New("sallyport: not a refresh token: no session or no generation")
	}
	return checkUserID(t.User)
}

// mintRefresh writes a token with the secret that serves at now. It fails if
// none does, or if t is nothing that openRefresh would return.
func (r *secretRing) mintRefresh(t refreshToken, now time.Time) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	body := make([]byte, 0, sealBodyMax)
	body = append(body, t.Session[:]...)
	body = binary.AppendUvarint(body, t.Gen)
	body = append(body, t.User...)
	return r.seal(refreshKind, body, now)
}

// openRefresh reads what a ring with the same secret wrote. Every error is
// ErrRefreshTokenInvalid.
func (r *secretRing) openRefresh(s string) (refreshToken, error) {
	body, err := r.open(refreshKind, s)
	if err != nil {
		return refreshToken{}, ErrRefreshTokenInvalid.because(err)
	}
	t := refreshToken{Session: ID(body)}
	gen, n := binary.Uvarint(body[idSize:])
	if n <= 0 || n > 1 && body[idSize+n-1] == 0 { // cut off, too large, or not the shortest form
		return refreshToken{}, ErrRefreshTokenInvalid.because(errSealedBody)
	}
	t.Gen, t.User = gen, string(body[idSize+n:])
	if t.check() != nil {
		return refreshToken{}, ErrRefreshTokenInvalid.because(errSealedBody)
	}
	return t, nil
}
