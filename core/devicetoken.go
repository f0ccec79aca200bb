package core

import (
	"errors"
	"time"
)

// deviceToken names a device in a form that nobody else can have made. It says
// which browser this is, not who uses it, and opens nothing. Its text is
// "spdt_" and base64url, without padding, of
//
//	byte 0        version, 1
//	bytes 1-4     id of the secret (HKDF-SHA256)
//	byte 5        1: the server named the device; 0: the client did
//	then          1: the 16 bytes of an ID; 0: the client's word, 1-128 bytes
//	last 32       HMAC-SHA-256 of "spdt_" and all bytes before
//
// which is 77 characters, or 57 to 227.
type deviceToken struct {
	ID     string // an ID's text if Signed
	Signed bool   // the server named it: whoever presents the token is the device
}

const (
	deviceNamedByClient byte = iota
	deviceNamedByServer
)

// mintDevice writes the token of a device with the secret that serves at now.
// It fails if none does, or if t is nothing that openDevice would return.
func (r *secretRing) mintDevice(t deviceToken, now time.Time) (string, error) {
	body := append([]byte{deviceNamedByClient}, t.ID...)
	if t.Signed {
		id, err := ParseID(t.ID)
		if err != nil {
			return "", err
		}
		body = append([]byte{deviceNamedByServer}, id[:]...)
	}
	if !t.valid() {
		return "", errors.New("sallyport: not a device")
	}
	return r.seal(deviceKind, body, now)
}

// openDevice reads what a ring with the same secret wrote. Its errors are for
// logs: a device token that can't be read is as good as none.
func (r *secretRing) openDevice(s string) (deviceToken, error) {
	body, err := r.open(deviceKind, s)
	if err != nil {
		return deviceToken{}, err
	}
	t := deviceToken{ID: string(body[1:])}
	switch {
	case body[0] == deviceNamedByServer && len(body) == 1+idSize:
		t = deviceToken{ID: ID(body[1:]).String(), Signed: true}
	case body[0] != deviceNamedByClient:
		return deviceToken{}, errSealedBody
	}
	if !t.valid() {
		return deviceToken{}, errSealedBody
	}
	return t, nil
}

func (t deviceToken) valid() bool {
	return t.ID != "" && validText(t.ID) && (!t.Signed || t.ID != ID{}.String())
}
