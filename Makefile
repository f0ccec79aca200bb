# make lists the targets.

# How long make fuzz gives each target, how often make bench repeats, and which
# server make run starts: nethttp, gin or fiber.
FUZZTIME ?= 5s
COUNT ?= 1
EXAMPLE ?= nethttp

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' Makefile

check: ## every check, as CI runs them
	bash .ci/run

test: ## the tests of every module
	go test work

race: ## the same under the race detector, without what takes long
	CGO_ENABLED=1 SALLYPORT_QUICK=1 go test -race work

fuzz: ## each fuzz target for FUZZTIME (5s)
	.ci/fuzz $(FUZZTIME)

bench: ## the benchmarks, COUNT times each (1)
	go test -run '^$$' -bench . -benchmem -count $(COUNT) work

proof: ## the promises at full length: minutes
	SALLYPORT_PROOF=1 go test work -run Proof -timeout 60m -count 1 -v

run: ## an example server, EXAMPLE (nethttp)
	go run ./examples/$(EXAMPLE)

fmt: tools ## format the Go code
	tools/bin/gofumpt -w .

tidy: ## tidy every go.mod and go.work
	for m in $$(go list -m -f '{{.Dir}}') tools; do GOWORK=off go -C "$$m" mod tidy || exit; done
	go work sync

tools: ## build gofumpt, staticcheck and benchstat into tools/bin
	GOWORK=off go build -C tools -o bin/ tool

.PHONY: help check test race fuzz bench proof run fmt tidy tools
