// Package console is what an example server says in a terminal, and what it is
// told there.
package console

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/sallyport-go/sallyport/examples/internal/settings"
)

const checkHelp = `  -check
      Look whether keys, store and settings are sound, say what is not, and exit
      without listening: 0 if all is sound, 1 if not. Cookies without TLS, the
      default on loopback, are but a note as long as only this machine reaches
      the server: ADDR is on loopback and TRUSTED_PROXIES is not set.
`

// errUsage is wrapped in the error of a command line that makes no sense.
var errUsage = errors.New("usage")

// Parse reads the command line of a server: its arguments without its name.
// check says that it is to be checked, and not to serve. The error is for
// [Exit], also if there was nothing to do but to print the usage.
func Parse(name string, args []string, out io.Writer) (check bool, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what it would print is in the error
	flags.BoolVar(&check, "check", false, "")
	err = flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "usage: %s [-check]\n\n%s\nSettings, from the environment; what is not set is as core.Config recommends:\n", name, checkHelp)
		settings.Usage(out)
		return false, err
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument: %s", flags.Arg(0))
	}
	if err != nil {
		return false, fmt.Errorf("%w\n%w: %s [-check]\n%s -h says more", err, errUsage, name, name)
	}
	return check, nil
}

// Exit ends the process with what a server has come to: with 2 after a command
// line that makes no sense, with 1 after any other error, else with 0.
func Exit(err error) {
	status := 1
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case errors.Is(err, errUsage):
		status = 2
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(status)
}
