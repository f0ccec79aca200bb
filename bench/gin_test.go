package bench

import (
	"net/http"
	"net/http/httptest"
	"testing"

	ginjwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/ginauth"
)

func onGin(tb testing.TB, w *atWork) []contestant {
	theirs, err := ginjwt.New(&ginjwt.GinJWTMiddleware{Key: w.key, IdentityKey: "sub"})
	if err != nil {
		tb.Fatal(err)
	}
	p := new(core.Principal)
	return []contestant{
		unguarded("no auth", ginApp()),
		unguarded("a context value and no auth", ginApp(func(c *gin.Context) {
			c.Request = c.Request.WithContext(core.WithPrincipal(c.Request.Context(), p))
		})),
		ours(w, "known token", ginApp(ginauth.Require(w.Auth))),
		ours(w, "known token, scope and role", ginApp(ginauth.Require(w.Auth, rules()...))),
		{
			name: "gin-jwt", app: ginApp(theirs.MiddlewareFunc()), missing: 401, forged: 401, ended: 200,
			logout: func(tb testing.TB, p person) {
				engine := gin.New()
				engine.POST("/logout", theirs.LogoutHandler)
				r, answer := httptest.NewRequest("POST", "/logout", nil), httptest.NewRecorder()
				r.Header.Set("Authorization", "Bearer "+p.token)
				if engine.ServeHTTP(answer, r); answer.Code != http.StatusOK {
					tb.Fatalf("logout: got %d", answer.Code)
				}
			},
		},
	}
}

func ginApp(guard ...gin.HandlerFunc) app {
	engine := gin.New()
	engine.GET("/orders", append(guard, func(c *gin.Context) {
		c.Data(http.StatusOK, "application/json", orders)
	})...)
	return httpApp{engine}
}

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	m.Run()
}
