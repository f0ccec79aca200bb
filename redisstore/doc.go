// Package redisstore keeps ledgers, the feed of revocations and what is limited in Redis, so
// that several processes are one system: on a single server or on a Cluster.
//
// # Keys
//
// Users are spread over buckets by a hash of their id. NN is a bucket, two digits;
// what is in braces has Redis Cluster put a bucket's keys in one slot, so that one
// script changes a ledger and the feed together.
//
//	sp:buckets       string: how many buckets there are; never changed
//	sp:{NN}:u:USER   string: the ledger of a user
//	sp:{NN}:feed     stream: the bucket's revocations
//
// A [Limiter] has its own, which a Cluster spreads over all slots:
//
//	rate:sp:limit:KEY  string: when KEY may take all at once, in seconds since 2017
//
// The key expires at that time. "rate:" is redis_rate's.
//
// A ledger is its version (16 bytes), the time of its last change, when its sessions
// were revoked as a whole, when a spent refresh token came back, and the last sign-ins
// (see ledger.go), with spaces between and nothing for what is not set, a line feed, and
// then values by name: "s" and the 16 bytes of a session's id for each session, "d"
// devices, "n" networks, "p" pending sign-ins, "f" revoked foreign tokens. The length of
// a name is a byte, that of a value four. Values are packed, see codec.go; times are in
// Unix milliseconds. The key expires
// when nothing in it matters any more. It is one string and no hash, since that takes
// 230 bytes more for a user with one session.
//
// An entry of the feed has the epoch "e" (an id of 16 bytes and the time it began),
// the mark "p" of the entry before it, revocations "r", and when the last of these is
// over, "u", in Unix milliseconds. The first entry of an epoch may revoke nothing.
// A mark is made of an entry and of the mark before it, so that a reader sees that
// entries were trimmed, evicted or lost in a failover, even where others were given
// their ids. What is over is trimmed by later commits.
//
// No value holds a token, raw or hashed.
//
// # What it asks of Redis
//
// Scripts and streams; appendonly yes, or a crash ends sessions and brings ended ones
// back; maxmemory-policy noeviction; clocks that agree; version 6.2 where the feed is
// polled, as it is on a Cluster. [Store.Check] says which of this is not so, and which
// settings of the client do harm.
//
// A change is there when the master has it, and a failover may lose it. With
// [Options].Replicas a Commit waits until replicas have it too, and says if they don't.
//
// # Looking at it
//
// With redis-cli, when alice has signed in on two browsers and out of one. What is
// asked here blocks nobody, whatever the size of the database.
//
//	$ redis-cli GET sp:buckets
//	"16"
//	$ redis-cli --scan --pattern 'sp:{*}:u:alice'
//	"sp:{07}:u:alice"
//	$ redis-cli TYPE 'sp:{07}:u:alice'
//	string
//	$ redis-cli STRLEN 'sp:{07}:u:alice'
//	(integer) 291
//	$ redis-cli GETRANGE 'sp:{07}:u:alice' 16 28
//	"1795333508622"
//	$ redis-cli PTTL 'sp:{07}:u:alice'
//	(integer) 7776059954
//	$ redis-cli XLEN 'sp:{07}:feed'
//	(integer) 1
//	$ redis-cli XREVRANGE 'sp:{07}:feed' + - COUNT 1
//	1) 1) "1795333508622-0"
//	   2) 1) "e"
//	      2) "PvM'\xd0\x13s'\xe2\x88\xc2k\xf1{\xb7\x011795333508621"
//	      3) "p"
//	      4) "9f86d081884c7d65"
//	      5) "u"
//	      6) "1795337179000"
//	      7) "r"
//	      8) "\x01\x01K\x804\x93\xe9\xfe\xab\x1c\x99)\"\x11\xee\xa7n}\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x01\xf0\xcd\xae\xb4\xbc\x03\x00"
//
// GETRANGE has cut out the time of the last change, PTTL is in milliseconds. On a Cluster, redis-cli takes -c,
// and --scan shows the keys of one server.
package redisstore
