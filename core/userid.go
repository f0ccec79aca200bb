package core

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

const userIDMax = 255 // bytes

var errBadUserID = errors.New("sallyport: not a user id: want 1-255 bytes of UTF-8 without control characters")

// checkUserID returns an error unless id is 1-255 bytes of UTF-8 without
// control characters (Unicode category Cc). User ids are compared as bytes:
// nothing is trimmed, folded or normalized.
func checkUserID(id string) error {
	if len(id) == 0 || len(id) > userIDMax || !utf8.ValidString(id) {
		return errBadUserID
	}
	for _, r := range id {
		if unicode.IsControl(r) {
			return errBadUserID
		}
	}
	return nil
}
