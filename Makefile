# Slipway: `make run` serves a real model, `make test` checks everything. Both install and build what is missing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
ARGS ?=
PRESET ?= release

.PHONY: help setup build run test unit e2e golden asan tsan fuzz crash bench lint fmt clean

help: ## Show this list
	@awk 'BEGIN{FS=":.*## "} /^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what is missing (Debian packages, pinned PyPI packages)
	@scripts/setup.sh

build: setup ## Build build/release/slipway
	@scripts/build.sh $(PRESET) slipway

run: setup ## Start the platform and serve the quickstart model (ARGS=--once: do it and exit)
	@scripts/build.sh release slipway
	@scripts/run.sh $(ARGS)

test: setup ## Unit tests, fuzz corpora and end-to-end tests on the release build
	@scripts/test.sh all

unit: setup ## Unit tests and fuzz corpora only
	@scripts/test.sh unit

e2e: setup ## End-to-end tests only
	@scripts/test.sh e2e

golden: setup ## Compare what kubectl prints with recordings of a real cluster (SLIPWAY_SHARED; ARGS: k20 k32 k34)
	@scripts/build.sh release slipway
	@tests/golden/kubectl.py $(ARGS)

asan: setup ## Unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/test.sh asan

tsan: setup ## Unit tests under ThreadSanitizer
	@scripts/test.sh tsan

fuzz: setup ## Each fuzz target for FUZZ_SECONDS (default 60)
	@scripts/fuzz.sh

crash: setup ## Kill the platform 1000 times under a mixed load; nothing may be lost, doubled or left behind
	@scripts/build.sh release slipway
	@scripts/crash.sh $(ARGS)

bench: setup ## Measure speed and memory beside the peers; writes docs/benchmarks.md
	@scripts/build.sh release slipway
	@scripts/bench.sh $(ARGS)

lint: ## Format, layers, scripts
	@scripts/lint.sh

fmt: ## Format the C++ sources
	@git ls-files '*.h' '*.cc' | xargs -r clang-format-19 -i

clean: ## Remove build/
	@rm -rf build
