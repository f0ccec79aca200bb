package main

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport-go/sallyport/examples/internal/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m, main) }

func TestServer(t *testing.T) { apptest.Run(t, run) }

// What the README shows is what a person gets.
func TestReadmeConsole(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```console\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README has no console block")
	}
	apptest.Console(t, run, block)
}
