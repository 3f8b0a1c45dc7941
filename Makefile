# `make help` lists what there is. Everything is installed into .venv and .cache beside this file, nothing elsewhere.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
UV := $(or $(shell command -v uv),.cache/uv/bin/uv)
BIN := .venv/bin
STAMP := .venv/.installed
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"
DEPENDENCIES := pyproject.toml --all-extras --excludes requirements/excluded.txt

# Package registries are written nowhere: each machine has its own way to them. The brackets keep this line out.
REGISTRY_HOSTS := py[p]i\.org|python[h]osted\.org|crates[.]io|npm[j]s\.(org|com)|maven[.]org|maven[.]apache\.org/maven2|proxy[.]golang|deb[.]debian

.PHONY: help setup browser test test-neo4j check format bench demo screenshots neo4j lock wheel clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP) ## make .venv with everything in it

.cache/uv/bin/uv: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; name it with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear .cache/uv
	.cache/uv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt

# The source is installed as a link, so a changed module needs no new setup.
$(STAMP): $(UV) pyproject.toml requirements/dev.txt
	@test -x $(BIN)/python || $(UV) venv --quiet --no-python-downloads --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The tests open the web pages in the system's Chromium. Where it can be had neither so nor so, they say so themselves.
BROWSER := $(firstword $(foreach name,chromium chromium-browser google-chrome,$(shell command -v $(name))))
APT := $(if $(filter 0,$(shell id -u)),,sudo -n) env DEBIAN_FRONTEND=noninteractive apt-get -qq

browser: ## install Chromium where there is none (Debian and its kin)
ifeq ($(BROWSER),)
	@{ $(APT) update && $(APT) install -y --no-install-recommends chromium; } > /dev/null \
		|| echo "Chromium could not be installed here; the tests of the web pages need it." >&2
endif

# Each worker starts a Neo4j of its own; one that is given serves one worker.
WORKERS := $(if $(NEO4J_URI),0,auto)

test: $(STAMP) browser ## all tests; some of them with PYTEST="-k store"
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(PYTEST)

test-neo4j: $(STAMP) ## the tests that need a Neo4j, against another one: NEO4J_VERSION=... or NEO4J_URI=...
	$(BIN)/pytest tests/contract tests/graph tests/faults $(PYTEST)

check: $(STAMP) ## style, types, layers, docstrings, no registry host in any file
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet tests
	@if git grep -nIE '$(REGISTRY_HOSTS)'; then echo "A file names the host of a package registry." >&2; exit 1; fi
	@echo "all checks passed"

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

demo: $(STAMP) ## all of it on a small set, with a local model; no key, no network
	$(BIN)/citefidelity demo

bench: $(STAMP) ## speed, side by side with what else there is
	$(BIN)/python benchmarks/bench.py $(BENCH)
	$(BIN)/python benchmarks/prefix_cache.py

screenshots: $(STAMP) browser ## the pictures in docs/screenshots anew
	PYTHONPATH=tests $(BIN)/python -m support.screenshots

neo4j: $(STAMP) ## a Neo4j server in the foreground, to try things out
	PYTHONPATH=tests $(BIN)/python -m support.neo4j_server

lock: $(UV) ## write requirements/*.txt anew; UPGRADE=--upgrade takes the newest
	$(COMPILE) $(UPGRADE) $(DEPENDENCIES) --output-file requirements/runtime.txt
	$(COMPILE) $(UPGRADE) $(DEPENDENCIES) --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	echo uv | $(COMPILE) $(UPGRADE) --output-file requirements/uv.txt -

wheel: $(STAMP) ## build the wheel into dist/ and try it in an empty environment
	rm -rf dist .cache/wheel
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python
	$(UV) venv --quiet --no-python-downloads --python $(BIN)/python .cache/wheel
	$(UV) pip install --quiet --python .cache/wheel/bin/python dist/*.whl
	cd / && "$(CURDIR)/.cache/wheel/bin/citefidelity" --version
	cd / && "$(CURDIR)/.cache/wheel/bin/citefidelity" spec > /dev/null

clean: ## remove everything that was made here
	rm -rf .venv .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
