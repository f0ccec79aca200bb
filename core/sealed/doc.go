// Package sealed keeps personal data in a store encrypted, with keys of the
// app's: whoever reads the database, a backup or a replica, sees who has
// sessions and not from where.
//
//	sealer, err := sealed.New(sealed.Key{ID: "2026-01", Secret: secret})
//	...
//	auth, err := core.New(core.Config{Store: sealer.Store(store), ...})
//
// [Sealer.Store] goes over any [core.Store]; [Sealer.Event] does the same for an
// audit sink, and [Sealer.Open] reads single values back.
//
// # What is sealed
//
// In sessions, known devices, known networks and pending sign-ins: the address or the
// network's prefix, the User-Agent, the device's name and browser, country and
// city, and the sentences of a risk score. Each is a value of its own, for one user and one field;
// what is empty stays empty. Of an event: the address, the User-Agent and those sentences.
//
// Everything else stays in the clear: user ids, ids of sessions and devices,
// device type, client type and system, times, numbers of networks (ASN),
// scores and the codes of their reasons, AMR, scopes, roles, and the app's own claims, which are the
// app's to keep free of personal data. Of a sealed value its length shows, to
// the byte. The feed of revocations holds no personal data but user ids.
//
// Nonces are random: the same address is another text each time, so a database
// can't be searched or grouped by address, User-Agent, device name, browser or place, not
// even for an exact match. User ids and all else in the clear can still be looked for.
//
// A value of n bytes takes 10 + len(Key.ID) + ⌈4(n+28)/3⌉ bytes, one line of ASCII
// with one tab: at most 66 for a country, 124 for an address, 234 for a device's
// name, 746 for a User-Agent. A store with narrower columns does not fit under it.
//
// # What it protects from
//
// Reading. Values are authentic, and one that was moved to another user or field
// does not open, so that nobody has the app show them another user's data. They
// are not bound to a session: whoever could swap the values of one user's sessions
// can write to the database, and so can write plain text as well, which comes back
// as it is. So a value opens in any record and event of its user, and what a process
// without the wrapper has carried from one record to another opens as well.
//
// # Plain values and going back
//
// A value without [Prefix] is from before, and comes back as it is; it is sealed
// when its record is next written. No client can have sent one with the prefix,
// through core: an app that calls SignIn with an address of its own making must not
// take it from a header unread. Without the wrapper, sealed values are what users
// see in their lists until they sign in again.
//
// # Replacing a key
//
// Every process has to know a key before one seals with it. Deploy the new one
// last in the list, then first in the list; take the old one out when nothing is
// sealed with it any more. What is written is sealed with the first key: a session
// when it is refreshed or used, the known devices and networks of a user at a sign-in. What is
// never written again is gone 91 days and Config.SessionTTL after the last process
// began to seal with the new key. Before you take the old one out, look for its id,
// which stands in the value:
//
//	SELECT count(*) FROM ... WHERE ip LIKE 'sealed%1:2026-01:%'
//
// Events are kept by the app, and so is their key.
//
// # Keys that are lost
//
// A key that is lost is data that are lost. A user of whom one value does not
// open can't be loaded: sign-in, refresh, lists and revocations answer 503 until
// the key is back, and nothing stored is changed meanwhile. When three such users
// in a row are met, Auth takes the store for away until it next reads the feed. If
// the key never comes back, remove those ledgers in the database; their users sign
// in again.
//
// # What it costs
//
// Over the memory store, on one core, by the benchmarks here: a Load of five sessions
// and five known devices, 45 values, took 34 µs and 7 without; a Commit of one of the
// sessions, 5 values, 19 µs and 11 without. That is 3 µs for the user's key, 0.5 µs
// for each value that is opened and 1 µs for each that is sealed.
package sealed
