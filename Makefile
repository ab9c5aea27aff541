# `make help` lists what there is. `make demo` and `make test` set up whatever is missing by themselves.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# Tests that share servers stay together (tests/support/sharing.py); the first folder named begins first.
SHARING := --dist loadscope --no-loadscope-reorder
JOBS := training/common $(patsubst %/train.py,%,$(wildcard training/*/train.py))
SOURCES := function_app orchestrations activities shared cli site_agent local_stack training benchmarks infra tests function_app.py

# What pytest has compiled is a third of a quick run; it keeps it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo up down status clean test test-unit test-replay test-integration test-e2e coverage check format hooks texts schemas golden pictures bench bench-peers lock

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

.venv/.installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "Python 3.11 is needed; name it with: make PYTHON=/path/to/python3.11"; exit 2; }
	@echo "setup: Python packages into .venv (once, about a minute)"
	@$(PYTHON) -m venv .venv || { echo "install python3-venv first"; exit 2; }
	@.venv/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.installed ## Install what is missing: Python packages, Azurite, Debian packages
	@$(PY) -m local_stack.setup

setup-tests: .venv/.installed ## The same, and what only the tests need: Chromium, axe-core
	@$(PY) -m local_stack.setup --tests

demo: setup ## Tell the whole story on this machine, from a file that lands to a model that answers; FAST=1: a short one; PAGE=1: the page stays open
	@$(PY) -m local_stack.demo $(if $(FAST),--short) $(if $(PAGE),--page)

up: setup ## Start the local stack and leave it running; .local/endpoints.json says where everything is; IDENTITY=1: the app logs in without keys
	@$(PY) -m local_stack up --detach $(if $(IDENTITY),--identity)
	@$(PY) -m local_stack.prepare

down: ## Stop the local stack; everything it knows stays in .local/
	@if [ -x $(PY) ]; then $(PY) -m local_stack down; else echo "nothing is set up"; fi

status: ## Say what runs where
	@if [ -x $(PY) ]; then $(PY) -m local_stack status || true; else echo "nothing is set up"; fi

clean: ## Stop the local stack and wipe .local/
	@if [ -x $(PY) ]; then $(PY) -m local_stack clean; else rm -rf .local; fi

# Tests start side by side: without what the first preparation leaves here, each would build it, and wait too long.
.local/cache/.filled: $(wildcard training/*/requirements*.txt) site_agent/requirements.txt
	@echo "setup: images and environments for the tests (once, some minutes)"
	@$(PY) -m tests.support.stack
	@touch $@

test: setup-tests ## Lint, types, import rules and every test
	@$(MAKE) --silent --jobs 2 --output-sync=line check .local/cache/.filled
	@$(PYTEST) -n 2 tests/unit tests/replay tests/simulation
	@$(PYTEST) -n 4 $(SHARING) $(if $(CI),--durations=60) tests/e2e tests/integration

coverage: setup-tests .local/cache/.filled ## Every test once more, and how much of the code of the app they run; half as long again
	@$(PYTEST) -n 2 --cov --cov-report= --cov-fail-under=0 tests/unit tests/replay tests/simulation
	@$(PYTEST) -n 4 $(SHARING) --cov --cov-append --cov-report= --cov-fail-under=0 tests/e2e tests/integration
	@.venv/bin/coverage report

test-unit: .venv/.installed ## Unit and replay tests only, with a tenth of the examples, in seconds
	@$(PYTEST) -n 2 --hypothesis-profile=quick tests/unit tests/replay

test-replay: .venv/.installed ## Recorded histories against the orchestrations of today
	@$(PYTEST) tests/replay

test-integration: setup-tests .local/cache/.filled ## Adapters and stand-ins against real servers
	@$(PYTEST) -n 2 $(SHARING) tests/integration

test-e2e: setup-tests .local/cache/.filled ## The whole stack
	@$(PYTEST) -n 2 $(SHARING) tests/e2e

check: .venv/.installed ## ruff, mypy --strict, import-linter, the infrastructure against Azure's types and rules
	@.venv/bin/ruff check $(SOURCES)
	@.venv/bin/ruff format --check --quiet $(SOURCES)
	@.venv/bin/mypy
	@for folder in $(JOBS); do MYPYPATH=training/common:$$folder .venv/bin/mypy --config-file training/mypy.ini \
	  --cache-dir .mypy_cache/$$folder $$folder/*.py || exit 1; done
	@.venv/bin/lint-imports --no-cache
	@$(PY) -m infra.checks

format: .venv/.installed ## Format the code
	@.venv/bin/ruff check --fix $(SOURCES)
	@.venv/bin/ruff format $(SOURCES)

hooks: .venv/.installed ## Check what is committed, before it is: ruff, mypy, import-linter
	@.venv/bin/pre-commit install

texts: .venv/.installed ## Bring the page's catalogues up to date: new sentences in, old ones out
	@$(PY) -m tests.support.page_texts

schemas: .venv/.installed ## Write docs/schemas/ anew from the models
	@$(PY) -m cli schemas

golden: .venv/.installed ## Write tests/golden/ anew: what users read, for whoever reviews the wording
	@WRITE_GOLDEN=1 $(PYTEST) -q tests/unit/wording tests/unit/infra/test_roles_page.py tests/unit/shared/test_stored_names.py

pictures: setup-tests ## Write docs/pictures/ anew, which README shows of the page
	@$(PY) -m tests.pictures

bench: setup ## Measure, side by side with a baseline; writes benchmarks/results.md
	@$(PY) -m local_stack.setup --benchmarks --tests
	@$(PY) -m benchmarks

bench-peers: setup ## Side by side with Dagster and Prefect, about an hour; PEERS="--files 500 --idle-seconds 20": a short one
	@$(PY) -m benchmarks.peers $(PEERS)

COMPILE := .venv/bin/uv pip compile -q --python-version 3.11 --no-emit-index-url --no-annotate --generate-hashes \
  --custom-compile-command "make lock"

lock: .venv/.installed ## Write the pinned requirement files anew from the *.in files; UPGRADE=1 takes newer versions
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-telemetry.in -c requirements.txt -o requirements-telemetry.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -c requirements.txt -o requirements-dev.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) site_agent/requirements.in -c requirements.txt -o site_agent/requirements.txt
	@for tool in checkov azmcp; do \
	  $(COMPILE) $(if $(UPGRADE),--upgrade) infra/checks/locks/$$tool.in -o infra/checks/locks/$$tool.txt || exit 1; done
	@for folder in $(filter-out training/common,$(JOBS)) tests/support/autolog tests/support/model_signing; do \
	  $(COMPILE) $(if $(UPGRADE),--upgrade) $$folder/requirements.in -o $$folder/requirements.txt || exit 1; done
	@for peer in dagster prefect; do folder=benchmarks/peers/with_$$peer; \
	  $(COMPILE) --no-strip-extras $(if $(UPGRADE),--upgrade) $$folder/requirements.in -o $$folder/requirements.txt \
	  || exit 1; done
	@for kind in tabular files empty; do \
	  work=training/.lock-$$kind && rm -rf $$work && mkdir $$work && template=cli/templates/$$kind/requirements && \
	  cp $$template.in.template $$work/requirements.in && cp $$template.txt.template $$work/requirements.txt && \
	  $(COMPILE) $(if $(UPGRADE),--upgrade) $$work/requirements.in -o $$work/requirements.txt && \
	  cp $$work/requirements.txt $$template.txt.template && rm -r $$work || exit 1; done
