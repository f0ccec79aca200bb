package core

import (
	"net/http"
	"time"
)

// cookieCap is the longest life that browsers grant a cookie (RFC 6265bis
// section 5.6.2), and the life of the device cookie.
const cookieCap = 400 * 24 * time.Hour

func deviceCookieName(insecure bool) string {
	if insecure {
		return "device"
	}
	return "__Secure-device"
}

// cookie returns a cookie of ours. A life of 0 or less deletes it.
func (a *Auth) cookie(name, value string, life time.Duration) *http.Cookie {
	age := int(min(life, cookieCap) / time.Second)
	if age <= 0 {
		value, age = "", -1 // net/http writes Max-Age=0
	}
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     a.config.Cookie.Path,
		Domain:   a.config.Cookie.Domain,
		MaxAge:   age,
		Secure:   !a.config.Cookie.Insecure,
		HttpOnly: true,
		SameSite: a.config.Cookie.SameSite,
	}
}

// setRefreshCookie adds the cookie of a sign-in or a refresh, unless the browser
// has it.
func (a *Auth) setRefreshCookie(h http.Header, p *Pair) {
	if p.Same || p.cookieLife <= 0 { // with no life left it would delete
		return
	}
	addCookie(h, a.cookie(a.config.Cookie.Name, p.RefreshToken, p.cookieLife))
}

// setDeviceCookie adds the cookie by which a browser's device is known again. was is the
// device that the request presented: if it is the same it keeps the accounts it knows.
func (a *Auth) setDeviceCookie(h http.Header, d Device, was deviceToken, account accountTag) error {
	t := deviceToken{ID: d.ID, Signed: d.Signed}
	if was.ID == t.ID && was.Signed == t.Signed {
		t.accounts = was.accounts
	}
	t.learn(account)
	token, err := a.secret.mintDevice(t, a.now())
	if err != nil {
		return ErrInternal.because(err)
	}
	addCookie(h, a.cookie(deviceCookieName(a.config.Cookie.Insecure), token, cookieCap))
	return nil
}

// dropRefreshCookie deletes the refresh cookie.
func (a *Auth) dropRefreshCookie(h http.Header) { addCookie(h, a.cookie(a.config.Cookie.Name, "", 0)) }

func addCookie(h http.Header, c *http.Cookie) { h.Add("Set-Cookie", c.String()) }

// presentedDevice returns the device that a request presents: that of the
// device cookie, if there is exactly one authentic, else what the client says.
func (a *Auth) presentedDevice(r Request, said string) deviceToken {
	if found := a.deviceCookies(r); len(found) == 1 {
		return found[0]
	}
	return deviceToken{ID: said}
}

// deviceCookies returns the devices of all authentic device cookies. More than one are
// of another path, or planted from a subdomain.
func (a *Auth) deviceCookies(r Request) []deviceToken {
	var found []deviceToken
	for _, v := range distinct(r.Cookies(deviceCookieName(a.config.Cookie.Insecure))...) {
		if d, err := a.secret.openDevice(v); err == nil {
			found = append(found, d)
		}
	}
	return found[:min(len(found), replacesCap)]
}
