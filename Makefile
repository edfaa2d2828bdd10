# Two commands: make run answers a call on this machine, make test runs every
# test. Both install what they need when they are run as root.
export CGO_ENABLED ?= 0
GO ?= go

.PHONY: run test build voice tools nightly

run: voice build
	./bin/hookswitch serve

build:
	$(GO) build -trimpath -o bin/hookswitch ./cmd/hookswitch

# A voice for <Say>. Without one the server still starts and says what is missing.
voice:
	@sh .ci/need flite:flite

test: tools
	$(GO) vet ./...
	test -z "$$(gofmt -l cmd texml verbs runtime media ai flows)"
	GOOS=darwin $(GO) build ./...
	CGO_ENABLED=1 HOOKSWITCH_E2E=$(E2E) $(GO) test -race -timeout 12m ./...

# sipp and baresip call the built binary and are called, sox reads recordings, flite and espeak-ng speak, pocketsphinx
# listens, an Express app answers a call script, and one on ws talks with a call.
E2E ?= 1
tools:
	@sh .ci/need flite:flite espeak-ng:espeak-ng sipp:sip-tester baresip:baresip-core sox:sox lame:lame node:nodejs npm:npm \
	  'pocketsphinx_continuous:pocketsphinx pocketsphinx-en-us'
	for app in express mediastream; do (cd testdata/$$app && npm ci --silent --no-audit --no-fund) || exit 1; done

# What needs minutes: every fuzz target for $(FUZZ), one after the other.
FUZZ ?= 10m
nightly:
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZ) -fuzzminimizetime 1x $$p || exit 1; done; done
