// Package alike proves that the example servers answer alike: whatever is sent,
// each gives the same status, headers, cookies, body and audit record, up to the
// values that it makes up itself. There is nothing in it but tests.
package alike
