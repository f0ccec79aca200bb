package settings_test

import (
	"crypto/rand"
	"crypto/tls"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
)

func TestRedisURL(t *testing.T) {
	password := rand.Text() + "/?#@:%,"
	userinfo := url.UserPassword("app", password).String() + "@"
	type options = redis.UniversalOptions
	for _, tt := range []struct {
		url  string
		want options
	}{
		{"redis://127.0.0.1:6379", options{Addrs: []string{"127.0.0.1:6379"}}},
		{"redis://redis.internal", options{Addrs: []string{"redis.internal:6379"}}},
		{"redis://[::1]:7000/3", options{Addrs: []string{"[::1]:7000"}, DB: 3}},
		{"REDIS://h:1?db=3", options{Addrs: []string{"h:1"}, DB: 3}},
		{"redis://" + userinfo + "h:1", options{Addrs: []string{"h:1"}, Username: "app", Password: password}},
		{"redis://:x@h:1?dial_timeout=3&pool_size=4&client_name=a%40b", options{Addrs: []string{"h:1"}, Password: "x", DialTimeout: 3 * time.Second, PoolSize: 4, ClientName: "a@b"}},
		{"rediss://h:1", options{Addrs: []string{"h:1"}, TLSConfig: &tls.Config{ServerName: "h", MinVersion: tls.VersionTLS12}}},
		{"unix:///run/redis.sock", options{Addrs: []string{"/run/redis.sock"}}},
		{"unix://" + userinfo + "/run/redis.sock?db=2", options{Addrs: []string{"/run/redis.sock"}, Username: "app", Password: password, DB: 2}},

		{"redis+cluster://h:1", options{Addrs: []string{"h:1"}, IsClusterMode: true}},
		{"redis+cluster://10.0.0.1:7000,[::1]:7001,h:7002/0", options{Addrs: []string{"10.0.0.1:7000", "[::1]:7001", "h:7002"}, IsClusterMode: true}},
		{"redis+cluster://" + userinfo + "h:1,h:2?read_timeout=2s", options{Addrs: []string{"h:1", "h:2"}, Username: "app", Password: password, ReadTimeout: 2 * time.Second, IsClusterMode: true}},

		{"redis+sentinel://main@h:1", options{Addrs: []string{"h:1"}, MasterName: "main"}},
		{"redis+sentinel://my%2Fmain@h:1,h:2/4", options{Addrs: []string{"h:1", "h:2"}, MasterName: "my/main", DB: 4}},
		{
			"redis+sentinel://" + userinfo + "main@h:1,h:2?sentinel_username=s&db=2&sentinel_password=" + url.QueryEscape(password) + "&max_retries=1",
			options{Addrs: []string{"h:1", "h:2"}, MasterName: "main", Username: "app", Password: password, SentinelUsername: "s", SentinelPassword: password, DB: 2, MaxRetries: 1},
		},
	} {
		s, err := read(map[string]string{"REDIS_URL": tt.url})
		switch {
		case err != nil:
			t.Errorf("%s: %v", tt.url, err)
		case !reflect.DeepEqual(s.Redis, &tt.want):
			t.Errorf("%s: got\n%+v\nwant\n%+v", tt.url, s.Redis, &tt.want)
		case s.Store() != "redis":
			t.Errorf("%s: the store is %q", tt.url, s.Store())
		}
	}
	if s, err := read(nil); err != nil || s.Redis != nil || s.Store() != "memory" {
		t.Errorf("not set: got %+v in %q, error %v", s.Redis, s.Store(), err)
	}
}

// The client is the one that redis.ParseURL would have made, whatever of its
// options is used.
func TestRedisOptions(t *testing.T) {
	known := 0
	for field := range reflect.TypeFor[redis.Options]().Fields() {
		text := "rediss://h:1?conn_max_lifetime=2&" + snake(field.Name) + "=1"
		want, err := redis.ParseURL(text)
		if err != nil {
			continue
		}
		known++
		s, err := read(map[string]string{"REDIS_URL": text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.Network = "" // redis.NewClient tells by the address
		if got := s.Redis.Simple(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", text, got, want)
		}
	}
	if known < 20 {
		t.Errorf("%d options were tried", known)
	}
}

// snake returns the name of an option: PoolFIFO is pool_fifo.
func snake(field string) string {
	var out strings.Builder
	upper := true
	for _, r := range field {
		if unicode.IsUpper(r) && !upper {
			out.WriteByte('_')
		}
		upper = unicode.IsUpper(r)
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// What is wrong or may be meant in two ways is refused, in one line that says what
// and shows nothing of the URL: PASS may be anywhere in it.
func TestWrongRedisURL(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"PASS", "it begins with none of"},
		{"127.0.0.1:6379", "it begins with none of"},
		{"user:PASS@h:1", "it begins with none of"},
		{"http://user:PASS@h:1", "it begins with none of"},
		{"redis:h", "it begins with none of"},
		{"redis+tls://user:PASS@h:1", "it begins with none of"},

		{"redis://user:PASS", "it is no URL"}, // the address is missing
		{"redis://user:1/PASS@h:1", "it is no URL"},
		{"redis://user:PASS/@h:1", "it is no URL"},
		{"redis://user:1?PASS@h:1", "it is no URL"},
		{"redis://user:1#PASS@h:1", "it is no URL"},
		{"redis://user:1#PASS", "it is no URL"},
		{"redis://user:PASS%zz@h:1", "it is no URL"},
		{"redis://user:PASS\n@h:1", "it is no URL"},
		{"redis://user:PASS @h:1", "it is no URL"},
		{"redis://h:1\n", "it is no URL"},
		{"redis://h:1?db=1;PASS", "it is no URL"}, // redis.ParseURL would take database 0
		{"redis://h:1?db=%zz", "it is no URL"},    // likewise
		{"redis+cluster://user:PASS%zz@h:1", "it is no URL"},
		{"redis+cluster://user:1/PASS@h:1", "it is no URL"},
		{"redis+sentinel://user:1/PASS@main@h:1", "it is no URL"},
		{"redis+sentinel://user:PASS@1@main@h:1", "it is no URL"},
		{"redis+sentinel://user:1@PASS@main@h:1", "it is no URL"},
		{"redis+sentinel://main%zz@h:1", "it is no URL"},
		{"redis+sentinel://main@h:1?sentinel_password=PASS%zz", "it is no URL"},
		{"redis+sentinel://main@h:1?sentinel_password=1#PASS", "it is no URL"},

		{"redis://PASS@h:1", "a user without a password"},
		{"redis+cluster://PASS@h:1,h:2", "a user without a password"},
		{"redis+sentinel://PASS@main@h:1", "a user without a password"},
		{"redis+sentinel://main@h:1?sentinel_username=PASS", "a user without a password"},

		{"redis://user:PASS@h:1,h:2", "several addresses"},
		{"redis://h,g", "several addresses"},
		{"redis://h:70000", "address 1 is"},
		{"redis://h:0", "address 1 is"},
		{"redis+cluster://", "address 1 is"},
		{"redis+cluster://user:PASS", "address 1 is"},
		{"redis+cluster://user:PASS@", "address 1 is"},
		{"redis+cluster://h:1,", "address 2 is"},
		{"redis+cluster://h:1,h", "address 2 is"},
		{"redis+cluster://h:1, h:PASS", "address 2 is"},
		{"redis+cluster://h:1,h:2:3", "address 2 is"},
		{"redis+cluster://h:1,[h:2]:3", "address 2 is"},
		{"redis+cluster://h:1,:2", "address 2 is"},
		{"redis+sentinel://main@", "address 1 is"},
		{"redis+sentinel://user:PASS@main@h:1,h:PASS", "address 2 is"},

		{"redis+sentinel://h:1,h:2", "the master has no name"},
		{"redis+sentinel://@h:1", "the master has no name"},
		{"redis+sentinel://user:PASS@h:1", "the master has no name"},
		{"redis+sentinel://user:PASS@@h:1", "the master has no name"},

		{"redis://h:1/PASS", "the database is no number"},
		{"redis://h:1/1/PASS", "the database is no number"},
		{"redis://h:1/-1", "the database is no number"},
		{"redis+sentinel://main@h:1/PASS", "the database is no number"},
		{"redis+cluster://h:1/1", "a Cluster has no database but 0"},
		{"redis+cluster://h:1?db=1", "a Cluster has no database but 0"},

		{"redis://h:1?db=PASS", "option 1 is"},
		{"redis://h:1?db=1&PASS=1", "option 2 is"},
		{"redis://h:1/2?dial_timeout=PASS", "option 1 is"},
		{"redis://h:1?skip_verify=true", "option 1 is"}, // there is no TLS
		{"unix:///s?db=1&PASS=1", "option 2 is"},
		{"redis+cluster://h:1?read_only=true", "option 1 is"}, // a replica may be behind
		{"redis+cluster://h:1?addr=PASS:2", "option 1 is"},
		{"redis+cluster://h:1?sentinel_password=PASS", "option 1 is"},
		{"redis+sentinel://main@h:1?sentinel_password=PASS&replica_only=true", "option 2 is"},
		{"redis+sentinel://main@h:1?master_name=PASS", "option 1 is"},

		{"unix://", "write unix:///path"},
		{"unix://user:PASS@?db=1", "write unix:///path"},
		{"unix://run/redis.sock", "write unix:///path"}, // redis.ParseURL would drop the first folder
	} {
		password := rand.Text()
		text := strings.ReplaceAll(tt.url, "PASS", password)
		_, err := read(map[string]string{"REDIS_URL": text})
		switch {
		case err == nil:
			t.Errorf("%s: no error", tt.url)
		case !strings.HasPrefix(err.Error(), "REDIS_URL: "+tt.want) || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: got %q, want one line with %q after the name", tt.url, err, tt.want)
		case strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "%!"):
			t.Errorf("%s: the error shows it, or a format: %v", tt.url, err)
		}
	}
}
