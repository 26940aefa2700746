# `make help` lists what there is. Everything is a script or one command of the Swift package manager.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SWIFT ?= swift
# The binary that is shipped: Swift's libraries are linked in.
RELEASE_FLAGS := -c release --product slipway --static-swift-stdlib
BINARY := $(CURDIR)/.build/release/slipway
SOURCES := $(wildcard Package.swift Sources Tests Fuzz Benchmarks)
# For example: make test TESTFLAGS="--filter ArchiveTests". One after the other: tests run servers, builds and whole loops, and
# two cores that do many of these at once run into the deadlines of the tests' own peers.
TESTFLAGS ?=
TEST := scripts/run-tests.sh $(SWIFT) test --skip-build --no-parallel

.PHONY: help demo demo-agent build test test-fast test-cluster test-install lint format bench fuzz image release release-notes manifests screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

demo: ## the whole loop on this machine: a commit becomes an image, the image becomes a commit
	@scripts/install-deps.sh --demo
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" scripts/demo.sh

demo-agent: ## the same, and then an agent on the demo's repository with its pages, until Ctrl-C
	@scripts/install-deps.sh --demo
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" scripts/demo.sh --agent

build: ## the release binary, .build/release/slipway
	@scripts/install-deps.sh
	$(SWIFT) build $(RELEASE_FLAGS)

test: ## everything, against real git servers, registries and container tools
	@scripts/install-deps.sh --test
	$(SWIFT) build $(RELEASE_FLAGS)
	$(SWIFT) build --build-tests
	SLIPWAY_BINARY="$(BINARY)" $(if $(TESTFLAGS),$(TEST) $(TESTFLAGS),scripts/run-tests.sh --all)

test-fast: ## under two minutes after the build: neither end-to-end tests nor what is marked as thorough
	$(SWIFT) build --build-tests
	SLIPWAY_TESTS=fast $(TEST) --skip EndToEndTests --skip ClusterManifestTests $(TESTFLAGS)

test-cluster: ## what needs a Kubernetes cluster, in the one that KUBECONFIG names
	@test -n "$$KUBECONFIG" || { echo "KUBECONFIG names no cluster, so nothing was tested"; exit 1; }
	$(SWIFT) build --build-tests
	$(TEST) --filter 'ClusterTests|ClusterManifestTests' $(TESTFLAGS)

test-install: ## installs into a cluster with a node, by manifest and by helm: KUBECONFIG, REGISTRY and ADDRESS as scripts/try-install.sh says
	@scripts/install-deps.sh --release
	$(SWIFT) build $(RELEASE_FLAGS)
	@for way in manifest helm; do SLIPWAY_BINARY="$(BINARY)" scripts/try-install.sh "$$way"; done

lint: ## formatting, without changing anything; syntax of the scripts
	$(SWIFT) format lint --strict --recursive $(SOURCES)
	@for script in scripts/*.sh Fuzz/*.sh .ci/run; do bash -n "$$script"; done

format: ## formats the Swift sources in place
	$(SWIFT) format format --in-place --recursive $(SOURCES)

bench: ## times builds and cycles, prints them as JSON lines
	@scripts/install-deps.sh --demo
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" scripts/bench.sh

FUZZ_TARGETS := dockerfile words ignore tar layer gzip manifest
fuzz: ## fuzzes the parsers; TARGET=one, SECONDS=of processor time for each
	$(SWIFT) build -c release --package-path Fuzz
	@for target in $(or $(TARGET),$(FUZZ_TARGETS)); do Fuzz/run.sh "$$target" $(or $(SECONDS),60); done

image: ## Slipway's own image, built by Slipway, as an OCI layout in out/image
	@scripts/install-deps.sh --image
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" scripts/image.sh

release: ## image, tarball, chart, install.yaml, bill of materials and checksums in out/release; PUSH=registry/name pushes the image
	@scripts/install-deps.sh --release
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" PUSH="$(PUSH)" scripts/release.sh

release-notes: ## this version's part of CHANGELOG.md
	@scripts/release-notes.sh "$$(sed -n 's/^appVersion: //p' config/chart/Chart.yaml)"

manifests: ## install.yaml and the kustomize base, rendered from the chart
	@scripts/install-deps.sh --release
	@scripts/manifests.sh

screenshots: ## pictures of the agent's pages, in out/screenshots
	@scripts/install-deps.sh --test
	$(SWIFT) build $(RELEASE_FLAGS)
	@SLIPWAY_BINARY="$(BINARY)" scripts/screenshots.sh

clean: ## removes what was built
	rm -rf .build .build-venv Fuzz/.build out
