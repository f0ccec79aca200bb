package nethttpauth_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// The access token in a cookie as well, for pages that a server renders. The app
// sets it beside what the routes answer, and takes it away. Since browsers send
// it on their own, the guard refuses what changes state and comes from another
// site.
func Example_accessCookie() {
	auth, err := core.New(core.Config{
		Store:        memstore.New(),
		Keys:         []core.Key{{Secret: exampleSecret}},
		Authenticate: authenticate,
		Prefix:       "/auth",
		AccessCookie: "__Host-access",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	routes := auth.Routes()
	for i, route := range routes {
		routes[i].Serve = func(r core.Request) core.Response {
			out := route.Serve(r)
			cookie := http.Cookie{Name: "__Host-access", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
			var pair struct {
				AccessToken string `json:"access_token"`
				ExpiresIn   int    `json:"expires_in"`
			}
			switch {
			case out.Status != http.StatusOK || json.Unmarshal(out.Body, &pair) != nil:
				return out
			case pair.AccessToken != "": // login and refresh
				cookie.Value, cookie.MaxAge = pair.AccessToken, pair.ExpiresIn
			case strings.HasPrefix(route.Path, "/logout"):
				cookie.MaxAge = -1
			default:
				return out
			}
			out.Header = out.Header.Clone()
			out.Header.Add("Set-Cookie", cookie.String())
			return out
		}
	}
	mux := http.NewServeMux()
	nethttpauth.Mount(mux, "/auth", routes)
	mux.Handle("POST /orders", nethttpauth.Require(auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "an order of", nethttpauth.Principal(r).UserID)
	})))

	post := func(path, site, body string, cookies []*http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", site) // browsers say where a request comes from
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	jar := post("/auth/login", "same-origin", `{"username":"alice","password":"correct-horse"}`, nil).Result().Cookies()
	for _, site := range []string{"same-origin", "cross-site"} {
		w := post("/orders", site, "", jar)
		fmt.Print(w.Code, " ", w.Body)
	}
	for _, c := range post("/auth/logout", "same-origin", "", jar).Result().Cookies() {
		fmt.Println("deleted:", c.Name, c.MaxAge < 0)
	}

	// Output:
	// 200 an order of alice
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"code":"CROSS_SITE","detail":"the request comes from another site"}
	// deleted: __Secure-refresh_token true
	// deleted: __Host-access true
}
