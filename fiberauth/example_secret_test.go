package fiberauth_test

import "crypto/rand"

// exampleSecret is made up for each run. An app's comes from where its secrets
// are kept: random bytes, at least 32, such as those of: openssl rand -base64 48.
var exampleSecret = []byte(rand.Text() + rand.Text())
