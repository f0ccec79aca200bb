package ginauth_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// signsOwnTokens is a login handler that knows nothing of this library: it
// answers with a token of its own, which lasts for ten minutes.
func signsOwnTokens(secret []byte) gin.HandlerFunc {
	return func(c *gin.Context) {
		if name, password, _ := c.Request.BasicAuth(); name != "alice" || password != "correct-horse" {
			c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "no"})
			return
		}
		now := time.Now()
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": "alice",
			"jti": rand.Text(),
			"iat": now.Unix(),
			"exp": now.Add(10 * time.Minute).Unix(),
		}).SignedString(secret)
		if err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		c.JSON(http.StatusOK, gin.H{"jwt": token})
	}
}

// A login handler stays as it is. Watch finds the token in its answer, begins a
// session for the user and adds the refresh cookie.
func ExampleWatch() {
	secret := []byte(rand.Text() + rand.Text()) // the app's, with which it signs its tokens
	auth, err := core.New(core.Config{
		Store:       memstore.New(),
		Keys:        []core.Key{{Secret: exampleSecret}},
		Foreign:     core.Foreign{Keys: []core.Key{{Secret: secret}}},
		TokenMember: "jwt",
		Prefix:      "/auth",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	r.POST("/login", ginauth.Watch(auth), signsOwnTokens(secret))
	ginauth.Mount(r, "/auth", auth.Routes())

	server := httptest.NewTLSServer(r)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, password := range []string{"wrong", "correct-horse"} {
		login, err := http.NewRequest("POST", server.URL+"/login", nil)
		if err != nil {
			log.Panic(err)
		}
		login.SetBasicAuth("alice", password)
		answer, err := browser.Do(login)
		if err != nil {
			log.Panic(err)
		}
		answer.Body.Close()
		fmt.Println("login:", answer.StatusCode)
		for _, cookie := range answer.Cookies() {
			fmt.Println("  sets", cookie.Name)
		}
	}
	answer, err := browser.Post(server.URL+"/auth/refresh", "", nil) // gives a token of this Auth
	if err != nil {
		log.Panic(err)
	}
	defer answer.Body.Close()
	fmt.Println("refresh:", answer.StatusCode)

	// Output:
	// login: 401
	// login: 200
	//   sets __Secure-refresh_token
	//   sets __Secure-device
	// refresh: 200
}
