// Package bench measures a guarded request against one without auth, and against
// what else the field uses, in one run: on Gin, Fiber and net/http, in process and
// over loopback connections. It is a module of its own, so that nobody who uses
// the library gets what it is compared with.
package bench
