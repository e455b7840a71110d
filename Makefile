# Two commands matter: `make run` does the main job, `make test` is the gate. Both need Go, make and git, nothing else.

.SUFFIXES:

GO ?= go

# The main job.
DIR ?= $(shell $(GO) env GOROOT)/src
STORE ?= .turnstone/catalogue
REPORT ?= .turnstone/report.json
ROWS ?= 7

# How much the long tests do; see README.md. Tests read the two environment variables, which the stages below set.
SEEDS ?= 1000
POINTS ?= 100000
WORKLOADS ?= w1,w2,w3,w4,w5,w6,w7,w8,w9

# -race needs a C compiler. Without one the tests still run, and every stage list says so first.
CC_FOUND := $(shell cc=$$($(GO) env CC); command -v $${cc%% *} >/dev/null 2>&1 && [ "$$($(GO) env CGO_ENABLED)" = 1 ] && echo yes)
RACE := $(if $(CC_FOUND),-race,)

# Under -race every process waits a second before it ends, in case a goroutine of it still does something wrong. There
# are some sixty such processes, and tests look for goroutines that are left; `race` of the gate leaves them the second.
SOON := GORACE="atexit_sleep_ms=20 $$GORACE"

STATICCHECK := $(GO) run -modfile internal/tools/go.mod honnef.co/go/tools/cmd/staticcheck
STAGES = MAKE="$(MAKE)" sh internal/tools/stages.sh

CHECK_STAGES := format vet staticcheck lint build failpoint short
TEST_STAGES := format vet staticcheck lint build failpoint proto race sim crash examples conformance

# The simulator and the crash sweep run long and on one thread: the gate runs them at full length without -race, and
# `race` runs them short with it. Examples and the programs of documents are whole programs and have a stage of their own.
LONG := /sim$$|/persistence/pebble$$|/examples/|/test/docs$$
RACED = $$($(GO) list ./... | grep -vE '$(LONG)|/internal/lint$$')

.PHONY: help run check test proto sim sweep bench bench-peers conformance walk clean race-note
help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 — /p' Makefile

run: export DIR := $(DIR)
run: export STORE := $(STORE)
run: export REPORT := $(REPORT)
run: export ROWS := $(ROWS)
run: ## catalogue a directory tree [DIR=] [STORE=] [REPORT=] [ROWS=]; run it again to resume
	@mkdir -p bin && $(GO) build -o bin/turnstone ./cmd/turnstone
	@exec bin/turnstone demo --dir "$$DIR" --store "$$STORE" --report "$$REPORT" --rows "$$ROWS"

check: race-note ## format, vet, lint, build and the short tests
	@$(STAGES) $(CHECK_STAGES)

test: race-note ## the gate: everything that this checkout promises, in at most 40 minutes
	@$(STAGES) $(TEST_STAGES)

race-note:
	@if [ -z "$(RACE)" ]; then \
		echo "WARNING: no C compiler found: the race detector needs one. Tests run WITHOUT -race."; fi

proto: ## regenerate the protobuf code
	@$(GO) -C internal/tools run ./protogen ../../proto

sim: ## run the simulator [SEEDS=1000]
	TURNSTONE_SIM_SEEDS=$(SEEDS) $(GO) test $(CHECKED) -count=1 -timeout 24h ./sim/...

sweep: ## cut the store at every write operation [POINTS=100000]
	TURNSTONE_SWEEP_POINTS=$(POINTS) $(GO) test -count=1 -timeout 24h ./persistence/pebble/...

bench: ## measure the workloads beside the limit [WORKLOADS=w1,...]
	$(GO) run ./bench -w $(WORKLOADS) -limit -json

bench-peers: ## measure other engines beside this one
	bash bench/peers/run.sh

conformance: ## the conformance cases: listed, present, passing
	@$(GO) run ./internal/conformance -run

walk: ## the files that one start goes through, beside what ARCHITECTURE.md tells
	@$(GO) run ./internal/walk

clean: ## remove what the commands above have built
	rm -rf bin

# Tests check what the code assumes of its own state; see internal/invariants. What measures, and what must be found without
# that, is built as a program is.
CHECKED := -tags invariants

# The stages, each a target of its own: `make stage-vet` runs one alone and prints all it has to say.
.PHONY: $(CHECK_STAGES:%=stage-%) $(TEST_STAGES:%=stage-%)

stage-format:
	@out=$$("$$($(GO) env GOROOT)/bin/gofmt" -l $$(git ls-files -co --exclude-standard '*.go')) && \
		if [ -n "$$out" ]; then echo "not formatted; run gofmt -w on:"; echo "$$out"; exit 1; fi

stage-vet:
	$(GO) vet ./...
	$(GO) vet -tags 'failpoint planted invariants' ./...
	cd internal/tools && $(GO) vet ./...

stage-staticcheck:
	$(STATICCHECK) ./...

stage-lint:
	$(GO) test -count=1 ./internal/lint/...

# Linking is most of a build, so only the programs of one set of tags are linked, without what a debugger needs. The
# tests link the others.
stage-build:
	$(GO) build -ldflags='-s -w' ./...
	$(GO) list -export -tags 'failpoint planted invariants' ./... >/dev/null

stage-failpoint:
	$(SOON) $(GO) test $(RACE) -count=1 -tags failpoint ./internal/failpoint

# Of a short run the race detector sees the packages that are about goroutines; `race` of the gate sees all. Planted
# faults need more seeds than a short run has. The packages that take long begin first, so that none is left alone.
LONGEST := ./actors ./cmd/turnstone
CALM := ./test/e2e ./replay/... ./dispatch/... $$($(GO) list ./persistence/... | grep -v '/locallog$$') ./bench/...

stage-short:
	$(SOON) $(GO) test $(CHECKED) $(RACE) -short -timeout 170s $(LONGEST) \
		$$($(GO) list ./... | grep -vE '/(sim|replay|dispatch|persistence|bench|internal/lint|test)(/|$$)') \
		./persistence/pebble/internal/locallog
	TURNSTONE_SWEEP_POINTS=60 TURNSTONE_SIM_SEEDS=20 $(GO) test $(CHECKED) -short -timeout 170s -skip '^TestPlantedFaults.*AreFound' $(CALM) ./sim/...

stage-proto:
	$(GO) -C internal/tools test -count=1 ./...
	$(GO) -C internal/tools run ./protogen -check ../../proto

# Every test of the gate runs under the recorder, so that the conformance table shows what passed and nothing runs twice.
RECORD = $(GO) run ./internal/conformance -record
OUTCOMES = $${TURNSTONE_STAGE_LOGS:-bin}/outcomes

# The race detector's own memory hides what an instance takes, so the core, and 20,000 instances on a real store, are
# measured once more without it.
stage-race:
	@mkdir -p $(OUTCOMES)
	TURNSTONE_SIM_SEEDS=20 TURNSTONE_SWEEP_POINTS=200 \
		$(RECORD) $(OUTCOMES)/race -- $(CHECKED) $(RACE) -count=1 -shuffle=on -timeout 15m $(RACED)
	$(RECORD) $(OUTCOMES)/plain -- -count=1 -timeout 5m ./replay/... ./bench/...

stage-sim:
	@mkdir -p $(OUTCOMES)
	TURNSTONE_SIM_SEEDS=8 $(RECORD) $(OUTCOMES)/sim-race -- $(CHECKED) $(RACE) -count=1 -short -timeout 10m -skip '^TestPlanted|^TestWays' ./sim/...
	TURNSTONE_SIM_SEEDS=1000 $(RECORD) $(OUTCOMES)/sim -- $(CHECKED) -count=1 -timeout 20m -skip '^TestPlanted' ./sim/...
	TURNSTONE_SIM_SEEDS=1000 $(RECORD) $(OUTCOMES)/planted -- -count=1 -timeout 20m -tags planted -run '^TestPlanted' ./sim/...

stage-crash:
	@mkdir -p $(OUTCOMES)
	TURNSTONE_SWEEP_POINTS=200 $(RECORD) $(OUTCOMES)/crash-race -- $(RACE) -count=1 -timeout 10m ./persistence/pebble/...
	TURNSTONE_SWEEP_POINTS=5000 $(RECORD) $(OUTCOMES)/crash -- -count=1 -timeout 20m ./persistence/pebble/...

stage-examples:
	@mkdir -p $(OUTCOMES)
	$(RECORD) $(OUTCOMES)/examples -- $(RACE) -count=1 -timeout 8m ./examples/... ./test/docs

stage-conformance:
	$(GO) run ./internal/conformance -from $(OUTCOMES) -floor docs/conformance.floor
