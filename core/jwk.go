package core

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// publicKey is a checked copy of a key's public part.
type publicKey struct {
	key       any       // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	standard  Algorithm // what it is used for unless the app says otherwise
	members   string    // of its JWK, those that its thumbprint covers, in their order
	signature int       // bytes in a signature
}

// readPublicKey copies a public key and returns what is wrong with it.
func readPublicKey(key crypto.PublicKey) (publicKey, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return readRSA(k)
	case *ecdsa.PublicKey:
		return readECDSA(k)
	case ed25519.PublicKey:
		return readEd25519(k)
	}
	return publicKey{}, fmt.Errorf("%T is no public key that is known here: want *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey", key)
}

func readRSA(k *rsa.PublicKey) (publicKey, error) {
	if k == nil || k.N == nil || k.N.Sign() <= 0 {
		return publicKey{}, errors.New("the RSA key is empty")
	}
	switch bits := k.N.BitLen(); {
	case bits < 2048:
		return publicKey{}, fmt.Errorf("an RSA key of %d bits is weak: at least 2048 (RFC 7518 section 3.3)", bits)
	case bits > rsaBitsMax:
		return publicKey{}, fmt.Errorf("an RSA key of %d bits makes tokens too long: at most %d", bits, rsaBitsMax)
	case k.N.Bit(0) == 0:
		return publicKey{}, errors.New("the RSA modulus is even")
	// RFC 8017 section 3.1 allows 3; small exponents have made faults in other
	// software exploitable, and FIPS 186-5 appendix A.1.1 wants more than 2^16.
	// crypto/rsa takes none of more than 31 bits.
	case k.E < 1<<16+1 || k.E&1 == 0 || k.E > 1<<31-1:
		return publicKey{}, errors.New("the RSA exponent must be odd and between 65537 and 2^31-1 (FIPS 186-5 appendix A.1.1)")
	}
	own := &rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E}
	return publicKey{
		key:       own,
		standard:  RS256,
		members:   `"e":"` + base64JWK(big.NewInt(int64(k.E)).Bytes()) + `","kty":"RSA","n":"` + base64JWK(k.N.Bytes()) + `"`,
		signature: own.Size(),
	}, nil
}

const rsaBitsMax = 8192

func readECDSA(k *ecdsa.PublicKey) (publicKey, error) {
	if k == nil || k.Curve == nil {
		return publicKey{}, errors.New("the ECDSA key is empty")
	}
	if k.Curve != elliptic.P256() {
		return publicKey{}, errors.New("the ECDSA key is on another curve than P-256 (RFC 7518 section 3.4)")
	}
	point, err := k.Bytes() // 4, x, y
	if err != nil {
		return publicKey{}, errors.New("the ECDSA key is not a point of P-256")
	}
	own, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return publicKey{}, errors.New("the ECDSA key is not a point of P-256")
	}
	return publicKey{
		key:       own,
		standard:  ES256,
		members:   `"crv":"P-256","kty":"EC","x":"` + base64JWK(point[1:33]) + `","y":"` + base64JWK(point[33:]) + `"`,
		signature: 64,
	}, nil
}

func readEd25519(k ed25519.PublicKey) (publicKey, error) {
	if len(k) != ed25519.PublicKeySize {
		return publicKey{}, fmt.Errorf("an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(k))
	}
	own := ed25519.PublicKey(append([]byte(nil), k...))
	sign := own[31]
	own[31] &= 0x7f // the sign of x
	if strings.Contains(ed25519SmallOrder, hex.EncodeToString(own)) {
		return publicKey{}, errors.New("the Ed25519 key is of small order: anybody can sign for it")
	}
	own[31] = sign
	return publicKey{
		key:       own,
		standard:  EdDSA,
		members:   `"crv":"Ed25519","kty":"OKP","x":"` + base64JWK(own) + `"`,
		signature: ed25519.SignatureSize,
	}, nil
}

// ed25519SmallOrder are the encodings, without sign, of points whose order
// divides 8: y = 0, 1, -1, the two of order 8, and the same beyond 2^255-19.
const ed25519SmallOrder = `
0000000000000000000000000000000000000000000000000000000000000000
0100000000000000000000000000000000000000000000000000000000000000
ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05
c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a
edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f`

// thumbprint returns the JWK thumbprint (RFC 7638, RFC 8037 section 2).
func (p *publicKey) thumbprint() string {
	sum := sha256.Sum256([]byte("{" + p.members + "}"))
	return base64JWK(sum[:])
}

// jwk returns the key's JWK (RFC 7517 section 4, RFC 7518 section 6).
func (p *publicKey) jwk(id string, alg Algorithm) string {
	return `{"alg":"` + string(alg) + `","kid":"` + id + `","use":"sig",` + p.members + `}`
}

// base64JWK is the encoding of RFC 7515 section 2.
func base64JWK(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// publishedKeys are the thumbprints of keys whose private half anybody can
// look up.
var publishedKeys = map[string]string{
	"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": "RFC 7517 appendix A",
	"cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s": "RFC 7517 appendix A",
	"IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8": "RFC 7515 appendix A.2",
	"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U": "RFC 7515 appendix A.3",
	"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": "RFC 8037 appendix A",
	"oGDmHqCJ7yzMkWEkrlZVHkvrHIyQwtlDmeq5ForUHeY": "jwt.io",
	"19J8y7Zprt2-QKLjF2I5pVk0OELX6cY2AfaAv1LC_w8": "jwt.io",
}
