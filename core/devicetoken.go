package core

import (
	"errors"
	"time"
)

// A device token is a device id that the server made, in a form that nobody
// else can have made. Its text is "spdt_" and base64url, without padding, of
//
//	byte 0        version, 1
//	bytes 1-4     id of the secret (HKDF-SHA256)
//	bytes 5-20    device id
//	bytes 21-52   HMAC-SHA-256 of "spdt_" and all bytes before
//
// which is 76 characters. It says which browser this is, not who uses it, and
// opens nothing.

// mintDevice writes the token of a device with the secret that serves at now.
// It fails if none does, or if id is zero.
func (r *secretRing) mintDevice(id ID, now time.Time) (string, error) {
	if id.IsZero() {
		return "", errors.New("sallyport: not a device: the id is zero")
	}
	return r.seal(deviceKind, id[:], now)
}

// openDevice reads what a ring with the same secret wrote. Its errors are for
// logs: a device token that can't be read is as good as none.
func (r *secretRing) openDevice(s string) (ID, error) {
	body, err := r.open(deviceKind, s)
	if err != nil {
		return ID{}, err
	}
	id := ID(body)
	if id.IsZero() {
		return ID{}, errSealedBody
	}
	return id, nil
}
