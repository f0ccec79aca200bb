package nethttpauth_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// Refusals in the shape of the app, in its own routes as well as in the library's.
func Example_problem() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: exampleSecret}},
		Authenticate: authenticate,
		Problem: func(e core.Error) (contentType string, body []byte) {
			body, err := json.Marshal(map[string]string{"error": e.Code, "message": e.Detail})
			if err != nil {
				body = []byte(`{}`)
			}
			return "application/json", body
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	// In a handler of the app's; the error may be one of the app's own as well.
	for _, err := range []error{
		core.ErrSessionNotFound,
		&core.Error{Code: "ORDER_NOT_FOUND", Status: 404, Detail: "no such order"},
		fmt.Errorf("dial tcp 192.0.2.1:5432: connection refused"),
	} {
		w := httptest.NewRecorder()
		nethttpauth.Write(w, auth.Problem(err))
		fmt.Println(w.Code, w.Body)
	}

	// Output:
	// 404 {"error":"SESSION_NOT_FOUND","message":"no such session"}
	// 404 {"error":"ORDER_NOT_FOUND","message":"no such order"}
	// 500 {"error":"INTERNAL","message":"something went wrong"}
}
