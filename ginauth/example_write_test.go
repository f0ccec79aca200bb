package ginauth_test

import (
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
	"github.com/sallyport-go/sallyport/memstore"
)

// An app's own refusals look like those of the library. What is no [core.Error] is
// a failure, whose cause is not sent.
func ExampleWrite() {
	auth, err := core.New(core.Config{Store: memstore.New(), Keys: []core.Key{{Secret: exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	r := gin.New()
	r.Use(func(c *gin.Context) { // of the app's: it answers for handlers that only say what is wrong
		c.Next()
		if last := c.Errors.Last(); last != nil && !c.Writer.Written() {
			ginauth.Write(c, auth.Problem(last.Err))
		}
	})
	r.GET("/orders/:id", func(c *gin.Context) {
		switch c.Param("id") {
		case "1":
			_ = c.Error(&core.Error{Code: "ORDER_NOT_FOUND", Status: 404, Detail: "no such order"})
		case "2":
			_ = c.Error(fmt.Errorf("dial tcp 192.0.2.1:5432: connection refused"))
		}
	})
	for _, path := range []string{"/orders/1", "/orders/2"} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 404 {"type":"about:blank","title":"Not Found","status":404,"code":"ORDER_NOT_FOUND","detail":"no such order"}
	//
	// 500 {"type":"about:blank","title":"Internal Server Error","status":500,"code":"INTERNAL","detail":"something went wrong"}
}
