package alike

// profile is how the servers are set in a sequence.
type profile struct {
	name    string
	env     []string
	cookie  string   // the refresh cookie's name
	device  string   // the device cookie's
	header  string   // in which proxies tell the client's address
	origins []string // trusted ones
}

// profiles leave nothing to the time that a request takes: a grace period is
// longer than a sequence, or there is none; nothing expires in a sequence, and
// which session is idle for the longest, down to the millisecond, is not asked.
var profiles = []*profile{
	{
		name:   "defaults",
		env:    []string{"REFRESH_GRACE=5m"},
		cookie: "refresh_token", device: "device",
	},
	{
		name:   "Secure and Strict, single use, behind proxies",
		env:    []string{"REFRESH_GRACE=0", "REFRESH_TOKEN_COOKIE_SECURE=true", "REFRESH_TOKEN_COOKIE_SAMESITE=strict", "TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8,2001:db8::/32"},
		cookie: "__Secure-refresh_token", device: "__Secure-device", header: "X-Forwarded-For",
	},
	{
		name:   "sliding, SameSite=None, Forwarded",
		env:    []string{"REFRESH_GRACE=0", "REFRESH_POLICY=sliding", "REFRESH_TOKEN_COOKIE_SECURE=true", "REFRESH_TOKEN_COOKIE_SAMESITE=none", "TRUSTED_PROXIES=127.0.0.0/8,10.0.0.0/8", "FORWARDED_HEADER=Forwarded"},
		cookie: "__Secure-refresh_token", device: "__Secure-device", header: "Forwarded",
	},
	{
		name:   "two sessions at most, a trusted origin, another name",
		env:    []string{"REFRESH_GRACE=0", "MAX_SESSIONS=2", "SESSION_LIMIT_POLICY=refuse", "TRUSTED_ORIGINS=https://other.example.com", "REFRESH_TOKEN_COOKIE_NAME=rt"},
		cookie: "rt", device: "device", origins: []string{"https://other.example.com"},
	},
	{
		name:   "three sessions, the oldest goes, one proxy",
		env:    []string{"REFRESH_GRACE=5m", "MAX_SESSIONS=3", "TRUSTED_PROXIES=127.0.0.2"},
		cookie: "refresh_token", device: "device", header: "X-Forwarded-For",
	},
}
