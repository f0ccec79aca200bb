package ginauth_test

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

func Example_mount() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: []byte(os.Getenv("SECRET_KEY"))}}, // at least 32 random bytes
		Authenticate: authenticate,
		Prefix:       "/api/v1/auth",
	})
	if err != nil {
		log.Fatal(err)
	}

	r := gin.Default()
	ginauth.Mount(r, "/api/v1/auth", auth.Routes())
	r.GET("/hello", ginauth.Require(auth), func(c *gin.Context) {
		c.String(http.StatusOK, "hello %s\n", ginauth.Principal(c).UserID)
	})
	log.Fatal(r.Run("127.0.0.1:8080"))
}

// authenticate says who signs in. Yours looks the user up and compares the
// password with a hash.
func authenticate(_ context.Context, c core.Credentials) (core.Identity, error) {
	if c.Username != "alice" || c.Password != "correct-horse" {
		return core.Identity{}, core.ErrInvalidCredentials
	}
	return core.Identity{UserID: "alice"}, nil
}
