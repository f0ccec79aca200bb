package sqlstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/core"
	"github.com/sallyport-go/sallyport/sqlstore"
)

// formsOf returns what of a token must be found nowhere: its text, the part that can't
// be guessed, and the SHA-256 of the text, as they may be written.
func formsOf(token string) []string {
	secret := token[max(strings.LastIndexByte(token, '.'), len(token)-43)+1:]
	raw, err := base64.RawURLEncoding.DecodeString(secret[len(secret)%4:])
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(token))
	forms := []string{token, secret}
	for _, b := range [][]byte{raw[len(raw)-24:], sum[:]} {
		forms = append(forms, string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
			base64.RawStdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b))
	}
	return forms
}

// No table holds a token, raw or hashed, nor a secret: those of sessions, of what they
// have revoked and of what was audited.
func TestCanaries(t *testing.T) {
	const users = 90
	onEach(t, func(t *testing.T, engine string) {
		d := newDesk(t, engine)
		history, err := sqlstore.NewHistory(d.db, dialects[engine], sqlstore.HistoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		secret := make([]byte, 32)
		rand.Read(secret)
		auth, err := core.New(core.Config{
			Store: d.Store, Keys: []core.Key{{Secret: secret}}, StoreTimeout: time.Minute,
			Audit: history.Audit(nil),
		})
		if err != nil {
			t.Fatal(err)
		}
		canaries := []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)}
		tokens := 0
		gives := func(pair core.Pair, err error) core.Pair {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, token := range []string{pair.AccessToken, pair.RefreshToken} {
				canaries = append(canaries, formsOf(token)...)
				tokens++
			}
			return pair
		}
		for i := range users {
			user := fmt.Sprint("user-", i)
			pair := gives(auth.SignIn(t.Context(), core.SignInRequest{Identity: core.Identity{UserID: user}}))
			pair = gives(auth.Refresh(t.Context(), core.RefreshRequest{Token: pair.RefreshToken}))
			switch i % 3 {
			case 0:
				_, err = auth.RevokeToken(t.Context(), pair.AccessToken)
			case 1:
				err = auth.Revoke(t.Context(), user, pair.Session.ID, core.ReasonRevoked)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		auth.Close()
		if err := history.Close(context.Background()); err != nil {
			t.Fatal(err)
		}

		var dump bytes.Buffer
		for _, table := range []string{"user_sessions", "user_session_ledgers", "user_session_devices", "user_session_feed", "user_session_buckets", "user_session_events"} {
			rows, err := d.db.QueryContext(t.Context(), "SELECT * FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			columns, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for ; rows.Next(); n++ {
				values := make([]any, len(columns))
				for i := range values {
					values[i] = &values[i]
				}
				if err := rows.Scan(values...); err != nil {
					t.Fatal(err)
				}
				for _, v := range values {
					if b, is := v.([]byte); is {
						v = string(b)
					}
					fmt.Fprintln(&dump, v)
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				t.Errorf("%s is empty", table)
			}
		}
		for _, c := range canaries {
			if at := bytes.Index(dump.Bytes(), []byte(c)); at >= 0 {
				t.Fatalf("%q is in the tables: %.200q", c, dump.Bytes()[max(0, at-60):])
			}
		}
		t.Logf("%d tokens in %d ways, none in %d bytes", tokens, len(canaries)/tokens, dump.Len())
	})
}
