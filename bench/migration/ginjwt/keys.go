package ginjwt

import (
	"errors"
	"strings"

	"github.com/golang-jwt/jwt/v4"
)

// twoKeys is a KeyFunc for the time in which Key is a new one, and tokens that the
// weak one signed are still about.
func twoKeys(strong, weak []byte) func(*jwt.Token) (any, error) {
	return func(t *jwt.Token) (any, error) {
		if t.Method != jwt.SigningMethodHS256 { // with a KeyFunc gin-jwt does not look
			return nil, errors.New("another algorithm")
		}
		end := strings.LastIndexByte(t.Raw, '.')
		if t.Method.Verify(t.Raw[:end], t.Raw[end+1:], strong) == nil {
			return strong, nil
		}
		return weak, nil
	}
}
