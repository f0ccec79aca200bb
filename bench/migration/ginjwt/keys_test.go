package ginjwt

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/bench/migration/internal/client"
	"github.com/sallyport-go/sallyport/core"
)

// A key that core.New refuses is replaced in the old app, and nobody is signed
// out.
func TestWeakKey(t *testing.T) {
	d := deploy(t)
	strong, weak := d.key, secret()[:9]
	d.key = weak
	if _, err := core.New(Config(d.store, d.secret, d.key, &d.users)); err == nil || !strings.Contains(err.Error(), "Foreign.Keys[0]") {
		t.Fatalf("New: got %v, want a refusal of the key", err)
	}
	c := client.Native(t, d.before())
	signIn(c, alice)

	d.key = strong
	mw, err := middleware(d.key, &d.users, d.now)
	if err != nil {
		t.Fatal(err)
	}
	mw.KeyFunc = twoKeys(strong, weak)
	app := gin.New()
	signedIn := app.Group("/", mw.MiddlewareFunc())
	signedIn.GET("/auth/refresh_token", mw.RefreshHandler)
	signedIn.GET("/hello", hello)
	c.Move(client.Serve(t, app))
	c.Want(http.StatusOK, "GET", "/hello", nil)
	c.Token = c.Member(c.Want(http.StatusOK, "GET", "/auth/refresh_token", nil), "token")
	c.Want(http.StatusOK, "GET", "/hello", nil)

	c.Move(d.guarded())
	c.Want(http.StatusOK, "GET", "/hello", nil)

	other := client.Native(t, deploy(t).before())
	signIn(other, alice)
	other.Move(client.Serve(t, app))
	other.Want(http.StatusUnauthorized, "GET", "/hello", nil)
}
