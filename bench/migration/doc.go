// Package migration holds the apps of the pages docs/guide/adopting and
// docs/migrating, each before and after, and tests that use them over HTTP.
package migration
