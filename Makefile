# Everything there is to do here is a target; make help lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

ARCH    := $(shell go env GOARCH)
VERSION := $(shell sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}/\1/p' charts/workqueue/Chart.yaml)
IMAGE   := ghcr.io/workqueue/workqueue-worker:$(VERSION)
WORKER  := bin/linux-$(ARCH)/worker
SOURCES := go.mod go.sum $(shell find worker -name '*.go' -o -name '*.lua')

# The cluster's own facts, written by test/kind/up.
KIND_ENV := set -a; . bin/kind/env; set +a;

.PHONY: help
help: ## List the targets
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

## ---- build

bin/linux-%/worker: $(SOURCES)
	CGO_ENABLED=0 GOOS=linux GOARCH=$* go build -trimpath -ldflags '-s -w' -o $@ ./worker

.PHONY: worker
worker: $(WORKER) ## Build the worker's binary

.PHONY: image
image: $(WORKER) kind-up ## Build the worker's image and give it to the cluster
	docker build --quiet --build-arg TARGETARCH=$(ARCH) -t $(IMAGE) . >/dev/null
	test/kind/load $(IMAGE)

## ---- cluster

.PHONY: kind-up
kind-up: ## Bring up the kind cluster, with Docker if there is none; seconds if it is up
	test/kind/up

.PHONY: kind-down
kind-down: ## Remove the cluster and all that came with it
	test/kind/down

.PHONY: tools
tools: ## Build the pinned helm, kind, kubectl and kubeconform into bin/
	test/tools/build kind kubectl helm3 helm4 kubeconform

## ---- see it work

.PHONY: demo
demo: tools image ## Cluster, image, helm install of the nine fruits, helm test
	test/demo

## ---- tests

.PHONY: deps
deps: ## Install what the tests need beside Go and Docker (Debian, as root)
	test/deps

.PHONY: test
test: lint test-unit test-chart test-e2e ## All tests

.PHONY: test-unit
test-unit: deps ## The worker: units, the queue on a real Redis, sessions of its command line
	go test -race ./...

.PHONY: test-chart
test-chart: tools ## The chart: rendering, schema, lint, Kubernetes' own schemas
	cd test && go test ./chart/...

.PHONY: test-e2e
test-e2e: tools image ## Chart and worker on the cluster, with Helm 3 and Helm 4
	$(KIND_ENV) cd test && go test -count=1 -timeout 40m ./e2e/...

.PHONY: lint
lint: ## Formatting and vet
	@unformatted=$$(gofmt -l worker test); test -z "$$unformatted" || { echo "gofmt -w these: $$unformatted"; exit 1; }
	go vet ./...
