package console

import (
	"cmp"
	"fmt"
	"io"

	"github.com/sallyport-go/sallyport/examples/internal/settings"
)

// Welcome says where a server is, and what there is to try.
func Welcome(out io.Writer, url string, set settings.Settings) {
	fmt.Fprintf(out, `sallyport on %s, with sessions in %s
users: alice / correct-horse, bob / battery-staple, root / tr0ub4dor-and-3 (admin)
`, url, set.Store())
	if set.RandomKey {
		fmt.Fprintln(out, "SECRET_KEY is not set: a random one is used for this run")
	}
	if !set.Auth.Cookie.Insecure {
		fmt.Fprintln(out, "cookies are Secure: they need TLS in front, or REFRESH_TOKEN_COOKIE_SECURE=false")
	}
	fmt.Fprintf(out, "%s; %s\n", limits(set), notices(set))
	fmt.Fprintf(out, `
try:
  curl -c jar --json '{"username":"alice","password":"correct-horse"}' %[1]s/api/v1/auth/login
  TOKEN=...   # the access_token of that answer
  curl -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/me
  curl -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/auth/sessions
  curl -X POST -b jar -c jar %[1]s/api/v1/auth/refresh

and as an admin, who signs alice out:
  curl --json '{"username":"root","password":"tr0ub4dor-and-3"}' %[1]s/api/v1/auth/login
  ADMIN=...   # the access_token of that answer
  curl -X POST -H "Authorization: Bearer $ADMIN" %[1]s/api/v1/admin/users/alice/logout
  curl -H "Authorization: Bearer $TOKEN" %[1]s/api/v1/me   # refused from now on
`, url)
}

func limits(set settings.Settings) string {
	if set.Auth.Limits.Off {
		return "LOGIN_LIMIT is off: nothing is limited"
	}
	return fmt.Sprintf("%d sign-ins a minute of one account", cmp.Or(set.Auth.Limits.Login, 10))
}

func notices(set settings.Settings) string {
	if set.Mail == nil {
		return "unusual ones are told in this log, or by mail with SMTP_URL"
	}
	return "unusual ones are told by mail"
}
