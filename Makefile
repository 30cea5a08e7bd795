# make          what there is to do
# make run      build everything and serve, on SQLite, with simulated vendors when no provider has its key
# make test     everything under -race; what can't run here is named
# make fuzz     every parser, ten seconds each
# make cross    the server for other machines, as a check that it builds
# make torture  what takes long: servers killed, frozen and cut off under load and everything held against the books (3
#               minutes), a thousand swaps under load, a million chunks through one guest
# make bench    the numbers, each as a ratio to something measured in the same run

SHELL := /bin/bash
GO ?= go
MODULES := host/internal/builtin/modules
PLUGINS := provider/anthropic provider/gemini provider/openai provider/openai-responses policy/floor
export CGO_ENABLED ?=

# The race detector watches all but what makes machine code of a module and SQLite as it was translated from C, which start
# no goroutine and lock nothing: watching them takes half the time of the tests. It goes no further on purpose. Generic code
# that an unwatched package instantiates is linked for all, so that leaving out one that has a sync.Map blinds the others.
WAZEVO := github.com/tetratelabs/wazero/internal/engine/wazevo
UNWATCHED := $(foreach p,$(WAZEVO)/ssa $(WAZEVO)/frontend $(WAZEVO)/backend/... modernc.org/sqlite/lib,-gcflags=$(p)=-race=false)

.PHONY: help plugins build run test fuzz torture torture-short bench cross lint clean

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

# The guests: stock Go, compiled to wasm. Names are kept in them, so that a panic reads as file and line. Those that have
# recorded cases carry them, for the host to run before it lets one serve.
plugins:
	@mkdir -p $(MODULES) bin/guests
	@$(GO) build -o bin/pack github.com/ainfera-ai/router/sdk/sdktest/pack
	@for p in $(PLUGINS); do \
	  raw=bin/guests/$${p##*/}.wasm out=$(MODULES)/$${p##*/}.wasm cases=plugins/$$p/cases.jsonl; \
	  GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -buildvcs=false -buildmode=c-shared -o $$raw ./plugins/$$p || exit 1; \
	  if [ -f $$cases ]; then bin/pack -o $$out $$raw $$cases || exit 1; else cp $$raw $$out; fi; \
	done
	@$(GO) run ./host/internal/author/pack

build: plugins
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ainfera ./host

run: build
	bin/ainfera serve

test: plugins
	@.ci/missing
	$(GO) test -race $(UNWATCHED) -timeout 40m ./...
	cd sdk && $(GO) test -race ./...
	@.ci/missing

torture: build
	@$(GO) build -o bin/torture ./host/internal/torture && bin/torture
	$(GO) run ./host/internal/swaptorture/run

# The part that a change has to pass.
torture-short: build
	@$(GO) build -o bin/torture ./host/internal/torture && bin/torture -duration 8s -callers 16

fuzz:
	@.ci/fuzz 10s

bench: build
	@.ci/bench

cross: plugins
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./host
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null ./host

lint:
	@out=$$(gofmt -l host plugins sdk schema examples); if [ -n "$$out" ]; then echo "gofmt these:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	cd sdk && $(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet ./plugins/... ./examples/plugins/...

clean:
	rm -rf bin $(MODULES)/*.wasm host/internal/author/kit/*.zip
