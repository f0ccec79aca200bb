// Package adopting is an app that issues JWTs of its own and adopts the library
// step by step, on each framework: what is not the framework's.
package adopting

import (
	"crypto/rand"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/bench/migration/internal/shop"
	"github.com/sallyport-go/sallyport/core"
)

// App is what every version of the app has.
type App struct {
	Key   []byte // of its own tokens
	Users *shop.Users
}

type claims struct {
	Roles []string `json:"roles"`
	jwt.RegisteredClaims
}

// Issue makes an access token of the app's own.
func (app *App) Issue(user shop.User) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{[]string{user.Role}, jwt.RegisteredClaims{
		Subject:   user.Name,
		ID:        rand.Text(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(10 * time.Minute)),
	}}).SignedString(app.Key)
}

// Read returns the user of a token of the app's own.
func (app *App) Read(token string) (shop.User, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return app.Key, nil }, jwt.WithValidMethods([]string{"HS256"}))
	return app.Users.ByName(c.Subject), err
}

// Check is core.ErrInvalidCredentials unless the password is right.
func (app *App) Check(name, password string) (shop.User, error) {
	user, ok := app.Users.Check(name, password)
	if !ok {
		return shop.User{}, core.ErrInvalidCredentials
	}
	return user, nil
}

// Config is the library's, in all steps.
func (app *App) Config(store core.Store, secret []byte) core.Config {
	return core.Config{
		Store:       store,
		Keys:        []core.Key{{Secret: secret}},
		Foreign:     core.Foreign{Keys: []core.Key{{Secret: app.Key}}},
		TokenMember: "token",
		Prefix:      "/auth",
		Cookie:      core.Cookie{Path: "/"},
	}
}
