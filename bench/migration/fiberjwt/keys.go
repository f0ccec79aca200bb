package fiberjwt

import "github.com/golang-jwt/jwt/v5"

// twoKeys is a KeyFunc for the time in which a new key signs, and tokens that the
// weak one signed are still about.
func twoKeys(strong, weak []byte) jwt.Keyfunc {
	return func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{strong, weak}}, nil
	}
}
