package core

import (
	"crypto/sha256"
	"errors"
	"slices"
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
//	then          1: the accounts that it has signed in to, 8 bytes each, the latest
//	              first, at most 4
//	last 32       HMAC-SHA-256 of "spdt_" and all bytes before
//
// which is 77 to 120 characters, or 57 to 227.
type deviceToken struct {
	ID       string // an ID's text if Signed
	Signed   bool   // the server named it: whoever presents the token is the device
	accounts [accountsMost]accountTag
}

const (
	deviceNamedByClient byte = iota
	deviceNamedByServer
)

const accountsMost = 4

// accountTag is an account, as a device remembers it; zero: none. Of another device it
// would be another. Who has the token and guesses a name can see whether it is that.
type accountTag [8]byte

// tagOf returns the tag of what a user signs in as.
func (t *deviceToken) tagOf(username string) accountTag {
	hash := sha256.Sum256([]byte("account\x00" + t.ID + "\x00" + accountKey(username)))
	return accountTag(hash[:])
}

// knows reports whether the device has signed in to an account.
func (t *deviceToken) knows(username string) bool {
	return t.Signed && slices.Contains(t.accounts[:], t.tagOf(username))
}

// learn has the device know an account.
func (t *deviceToken) learn(tag accountTag) {
	if !t.Signed || tag == (accountTag{}) {
		return
	}
	kept := slices.DeleteFunc(t.accounts[:], func(o accountTag) bool { return o == tag }) // clears what it leaves
	copy(t.accounts[1:], slices.Clone(kept))
	t.accounts[0] = tag
}

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
		for _, tag := range t.accounts {
			if tag != (accountTag{}) {
				body = append(body, tag[:]...)
			}
		}
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
	case body[0] == deviceNamedByServer && len(body) >= 1+idSize:
		t = deviceToken{ID: ID(body[1:]).String(), Signed: true}
		if !t.readAccounts(body[1+idSize:]) {
			return deviceToken{}, errSealedBody
		}
	case body[0] != deviceNamedByClient:
		return deviceToken{}, errSealedBody
	}
	if !t.valid() {
		return deviceToken{}, errSealedBody
	}
	return t, nil
}

// readAccounts reports whether a token is ever made with these accounts.
func (t *deviceToken) readAccounts(body []byte) bool {
	const size = len(accountTag{})
	if len(body)%size != 0 || len(body) > accountsMost*size {
		return false
	}
	for i := range len(body) / size {
		tag := accountTag(body[i*size:])
		if tag == (accountTag{}) || slices.Contains(t.accounts[:i], tag) {
			return false
		}
		t.accounts[i] = tag
	}
	return true
}

func (t deviceToken) valid() bool {
	return t.ID != "" && validText(t.ID) && (!t.Signed || t.ID != ID{}.String())
}
