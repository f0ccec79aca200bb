package nethttpauth_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/memstore"
	"github.com/sallyport-go/sallyport/nethttpauth"
)

// signsOwnTokens is a login handler that knows nothing of this library: it
// answers with a token of its own, which lasts for ten minutes.
func signsOwnTokens(secret []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "alice" || password != "correct-horse" {
			http.Error(w, "no", http.StatusUnauthorized)
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
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"jwt": token})
	}
}

// A login handler stays as it is. [nethttpauth.Watch] finds the token in its
// answer, begins a session for the user and adds the refresh cookie.
func Example_watch() {
	secret := []byte(rand.Text() + rand.Text()) // the app's, with which it signs its tokens
	auth, err := core.New(core.Config{
		Store:       memstore.New(),
		Keys:        []core.Key{{Secret: []byte(rand.Text() + rand.Text())}}, // yours is in the environment
		Foreign:     core.Foreign{Keys: []core.Key{{Secret: secret}}},
		TokenMember: "jwt",
		Prefix:      "/auth",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer auth.Close()

	mux := http.NewServeMux()
	mux.Handle("POST /login", nethttpauth.Watch(auth)(signsOwnTokens(secret)))
	nethttpauth.Mount(mux, "/auth", auth.Routes())

	server := httptest.NewTLSServer(mux)
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, password := range []string{"wrong", "correct-horse"} {
		login, err := http.NewRequest("POST", server.URL+"/login", nil)
		if err != nil {
			log.Fatal(err)
		}
		login.SetBasicAuth("alice", password)
		answer, err := browser.Do(login)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println("login:", answer.StatusCode)
		for _, cookie := range answer.Cookies() {
			fmt.Println("  sets", cookie.Name)
		}
	}

	// From now on the browser gets tokens of this Auth.
	answer, err := browser.Post(server.URL+"/auth/refresh", "", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var pair struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&pair); err != nil {
		log.Fatal(err)
	}
	who, err := auth.Verify(answer.Request.Context(), pair.AccessToken)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("refresh:", answer.StatusCode, who.UserID, "has a session:", !who.SessionID.IsZero())

	// Output:
	// login: 401
	// login: 200
	//   sets __Secure-refresh_token
	//   sets __Secure-device
	// refresh: 200 alice has a session: true
}
