# Everything there is to do here is a target; make help lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARCH    := $(shell go env GOARCH)
VERSION := $(shell sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}/\1/p' charts/workqueue/Chart.yaml)
IMAGE   := ghcr.io/workqueue/workqueue-worker:$(VERSION)
WORKER  := bin/linux-$(ARCH)/worker
SOURCES := go.mod go.sum $(shell find worker -name '*.go' -o -name '*.lua' -o -path worker/monitor/page.html -o -path 'worker/monitor/assets/*')

# As the released worker is built. Nothing that is compiled holds the folder's name, so Go's cache serves every clone.
export CGO_ENABLED := 0
export GOFLAGS     := -trimpath -ldflags=-s $(GOFLAGS)

# The cluster's own facts, written by test/kind/up.
KIND_ENV := set -a; . bin/kind/env; set +a;

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

## ---- build

bin/linux-%/worker: $(SOURCES)
	@echo "Compiling $@"
	@GOOS=linux GOARCH=$* go build -o $@ ./worker 2>&1 | { grep -v '^go: downloading ' || true; }

.PHONY: worker
worker: $(WORKER) ## Build the worker's binary

.PHONY: image
image: $(WORKER) kind-up ## Build the worker's image and give it to the cluster
	docker build --quiet --build-arg TARGETARCH=$(ARCH) -t $(IMAGE) . >/dev/null
	test/kind/load $(IMAGE)

.PHONY: push
push: $(WORKER) ## Build the worker's image and push it to REPOSITORY, for nodes of the kind ARCH
	@test -n "$(REPOSITORY)" || { echo "push: REPOSITORY is missing: make push REPOSITORY=registry.example.org/you/workqueue-worker"; exit 1; }
	docker build --quiet --build-arg TARGETARCH=$(ARCH) -t $(REPOSITORY):$(VERSION) . >/dev/null
	docker push $(REPOSITORY):$(VERSION)

## ---- cluster

.PHONY: kind-up
kind-up: ## Bring up the kind cluster, with Docker if there is none; seconds if it is up
	test/kind/up

.PHONY: kind-down
kind-down: ## Remove the cluster and all that came with it
	test/kind/down

.PHONY: tools
tools: ## Build the pinned helm, kind, kubectl and the chart's checkers into bin/
	test/tools/build kind kubectl helm3 helm4 kubeconform kube-score helm-schema

## ---- see it work

VALUES  ?= values-examples/fruits.yaml
OBJECTS ?=
TEXT    ?=

.PHONY: try
try: bin/try $(WORKER) ## Run VALUES (default: the nine fruits) as processes of this machine, without a cluster; OBJECTS are files with ConfigMaps and Secrets, TEXT is a list
	@test/deps
	@bin/try -worker $(WORKER) $(addprefix -objects ,$(OBJECTS)) $(addprefix -text ,$(TEXT)) $(VALUES)

bin/try: test/go.mod test/go.sum $(wildcard test/try/*.go test/render/*.go)
	@echo "Compiling test/try (a few minutes the first time, seconds after that)"
	@cd test && go build -o $(abspath $@) ./try 2>&1 | { grep -v '^go: downloading ' || true; }

.PHONY: demo
demo: image ## Cluster, image, helm install of the nine fruits, helm test
	@test/tools/build helm4
	@test/demo

## ---- tests

.PHONY: deps
deps: ## Install what the tests need beside Go and Docker (Debian, as root)
	test/deps nodejs python3

# First comes what they need, with its progress. Then they run side by side, since they wait about as much as they compute, and each prints all
# at its end. Last come the tests on the cluster, alone: it is busy by itself.
READY := $(addprefix --old-file=,deps tools image worker kind-up)

.PHONY: test
test: deps tools image ## All tests but the long runs
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(READY) \
	  test-browser test-unit test-model test-chart test-faults test-try lint test-docs test-licences
	@$(MAKE) --no-print-directory $(READY) test-e2e

.PHONY: test-unit
test-unit: deps ## The worker: units, the queue on a real Redis, sessions of its command line
	go test -timeout 20m -p 4 ./... # four packages at a time: they wait more than they compute

.PHONY: test-model
test-model: deps ## The queue's scripts against a model of them, for longer than test-unit does
	go test -timeout 10m ./worker/queue -run TestModel -rapid.checks=2000

.PHONY: test-chart
test-chart: deps tools worker ## The chart: rendering, schema, lint, Kubernetes' own schemas
	cd test && GOGC=400 go test -count=1 -timeout 20m ./chart/... # a hundred helms that live for 0.1 s: no time to collect garbage

.PHONY: generate
generate: ## Write what is made of other files: the schema and the README table of the values, the licences
	test/tools/build helm-schema
	cd test && go test -count=1 ./chart/generated ./licences -update

.PHONY: test-try
test-try: deps worker ## make try: every example that needs no cluster, refusals, failures, Ctrl-C
	cd test && go test -count=1 -timeout 5m ./try/...

.PHONY: test-licences
test-licences: ## The list of licences that goes into the image is that of what the worker is made of
	cd test && go test -count=1 ./licences/...

.PHONY: test-docs
test-docs: ## The links, values, variables, verbs and targets that the documentation names exist
	cd test && go test -count=1 ./docs/...

.PHONY: test-e2e
test-e2e: tools image ## Chart and worker on the cluster, with Helm 3 and Helm 4
	$(KIND_ENV) cd test && GOGC=400 go test -count=1 -timeout 60m -skip '^TestRedis$$' ./e2e/... # many helms that live for a second

.PHONY: test-servers
test-servers: deps ## The queue and the connection with it on this machine's Redis, Redis 8 and Valkey: as root on Debian
	test/servers/build
	for folder in "$$(dirname "$$(command -v redis-server)")" $(CURDIR)/bin/servers/*/bin; do \
	  export PATH="$$folder:$$PATH"; redis-server --version; \
	  go test -count=1 -timeout 10m ./worker/queue ./worker/redisclient; \
	done

.PHONY: test-redis
test-redis: tools image ## The chart with every kind of Redis of docs/redis.md, of three makes, and failovers: as root on Debian
	test/servers/build
	servers=$$(test/servers/images); $(KIND_ENV) cd test && WQ_TEST_SERVERS=$$servers go test -count=1 -timeout 30m -v -run '^TestRedis$$' ./e2e/

.PHONY: test-faults
test-faults: deps worker ## Real workers, a real Redis, a real terminal, and everything around them breaks
	cd test && go test -count=1 -timeout 20m ./faults/... ./metrics/... ./terminal/...

.PHONY: test-chaos
test-chaos: tools worker ## Pods, nodes, Redis, network and API server break under a run, on a cluster of three nodes of its own
	WQ_KIND_CLUSTER=faults WQ_KIND_NODES=3 test/kind/up
	docker build --quiet --build-arg TARGETARCH=$(ARCH) -t $(IMAGE) . >/dev/null
	WQ_KIND_CLUSTER=faults test/kind/load $(IMAGE)
	set -a; . bin/kind-faults/env; set +a; cd test && go test -count=1 -timeout 60m -v -run TestChaos ./chaos/

ECOSYSTEM ?= metrics-server kueue gitops-engine

.PHONY: test-ecosystem
test-ecosystem: tools worker ## Kueue, Argo CD's engine, the metrics server (or ECOSYSTEM, also keda, prometheus) with the chart, on a cluster of their own
	WQ_KIND_CLUSTER=ecosystem test/kind/up
	docker build --quiet --build-arg TARGETARCH=$(ARCH) -t $(IMAGE) . >/dev/null
	WQ_KIND_CLUSTER=ecosystem test/kind/load $(IMAGE)
	WQ_KIND_CLUSTER=ecosystem test/ecosystem/up $(ECOSYSTEM)
	set -a; . bin/kind-ecosystem/env; set +a; cd test && go test -count=1 -timeout 60m -v ./ecosystem/

.PHONY: test-browser
test-browser: worker ## The monitor's page in a real browser; screenshots go to bin/browser/
	test/deps chromium npm
	cd test && go test -count=1 -timeout 20m ./browser/...

.PHONY: test-race
test-race: deps ## The worker's tests with the race detector
	CGO_ENABLED=1 go test -race -timeout 20m ./...

.PHONY: test-long
test-long: deps ## Hours if need be: the model for LONG checks (default 100000), each fuzz target for FUZZ (default 5m)
	go test -timeout 0 ./worker/queue -run TestModel -rapid.checks=$${LONG:-100000}
	for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' "$$package" | grep ^Fuzz || true); do \
	    go test "$$package" -run '^$$' -fuzz "^$$target\$$" -fuzztime "$${FUZZ:-5m}"; \
	  done; \
	done

.PHONY: bench
bench: deps ## The queue beside plain lists and other queues; the table goes to bin/bench/
	test/bench/run

.PHONY: lint
lint: ## Formatting and vet
	@unformatted=$$(gofmt -l worker test); test -z "$$unformatted" || { echo "gofmt -w these: $$unformatted"; exit 1; }
	go vet ./...

.PHONY: vulnerabilities
vulnerabilities: ## Known vulnerabilities in what the worker calls; needs the Internet
	go tool -modfile=test/tools/govulncheck/go.mod govulncheck ./...

.PHONY: golangci
golangci: bin/golangci-lint ## The linters of .golangci.yml, which take minutes to build
	bin/golangci-lint run ./...

bin/golangci-lint: test/tools/golangci-lint/go.mod test/tools/golangci-lint/go.sum
	cd test/tools/golangci-lint && go build -o $(abspath $@) tool
