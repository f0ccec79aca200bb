package fiberjwt

import (
	"net/http"
	"testing"

	jwtware "github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"

	"github.com/sallyport-go/sallyport/bench/migration/internal/client"
	"github.com/sallyport-go/sallyport/core"
)

// While a weak key is replaced, both verify.
func TestWeakKey(t *testing.T) {
	d := deploy(t)
	strong, weak := d.key, secret()[:9]
	d.key = weak
	if _, err := core.New(Config(d.store, d.secret, d.key, &d.users)); err == nil {
		t.Fatal("New: got no error, want a refusal of the key")
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(jwtware.New(jwtware.Config{KeyFunc: twoKeys(strong, weak)}))
	app.Get("/orders", orders)
	between := client.ServeFiber(t, app)
	for key, want := range map[string]int{string(weak): 200, string(strong): 200, string(secret()): 401} {
		d.key = []byte(key)
		c := client.Native(t, d.before())
		signIn(c, alice)
		c.Move(between)
		if got := c.Send("GET", "/orders", nil); got.Status != want {
			t.Errorf("got %d, want %d", got.Status, want)
		}
	}
	d.key = strong
	c := client.Native(t, d.before())
	signIn(c, alice)
	c.Move(d.after(nil))
	c.Want(http.StatusOK, "GET", "/orders", nil)
}
