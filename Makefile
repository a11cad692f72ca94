# Everything a developer types. Each target makes and fills .venv itself; a second run finds the stamp and starts at once.
# PYTHON=python3.12 chooses the interpreter (3.11 or newer); ARGS=... is handed on to pytest, the demo or the bench.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
unexport PYTHONPATH

PYTHON ?= python3
UV ?= uv
ARGS ?=
ROUNDS ?= 30
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
STAMP := $(VENV)/.filled
CHECKS := check-format check-lint check-types check-imports check-docs

.PHONY: demo test test-vm deb test-windows node-packages check $(CHECKS) format bench campaign mutants soak siege fuzz clean help requirements

demo: $(STAMP) ## Watch three simulated devices being reported, declared and cleared (under 30 s)
	@$(BIN)/taxagent demo $(ARGS)

test: $(STAMP) node-packages ## Run all tests in random order, with branch coverage
	@$(PY) -m pytest --cov --cov-report=term $(ARGS)

test-vm: $(STAMP) ## Boot Debian in QEMU and prove the agent on a real kernel's USB, udev and systemd (root)
	@$(PY) -m tests.vm.stage $(ARGS)

test-windows: $(STAMP) ## Run the agent as a service under Windows CPython in Wine (root where Wine lacks)
	@$(PY) -m tests.windows.stage $(ARGS)

deb: $(STAMP) ## Build the Debian package into dist/ (needs debhelper, lintian, python3-venv; VERSION=...)
	@PY=$(PY) packaging/deb.sh dist

node-packages: # what the Node.js example needs, where npm is there; without it that example's tests are skipped
	@[ -d examples/node/node_modules ] || ! command -v npm >/dev/null \
	    || npm ci --prefix examples/node --silent --no-audit --no-fund \
	    || echo "npm got no packages: the tests of the Node.js example are skipped"

check: $(CHECKS) ## Format, lint, types, import rules, docs: what CI runs before the tests

check-format: $(STAMP) # the layout of the code is the formatter's
	@$(PY) -m ruff format --check .

check-lint: $(STAMP) # ruff, nearly all rules; pyproject.toml has a reason beside each that is off
	@$(PY) -m ruff check .

check-types: $(STAMP) # mypy --strict over both wheels, the tests and the tools
	@$(PY) -m mypy

check-imports: $(STAMP) # who may import whom
	@$(BIN)/lint-imports --no-cache --no-logo

check-docs: $(STAMP) # links and anchors, the two READMEs side by side, no paths of one machine, clean lock files
	@$(PY) -m tools.check_docs

format: $(STAMP) ## Format the code and mend what ruff can mend by itself
	@$(PY) -m ruff check --fix --exit-zero --quiet .
	@$(PY) -m ruff format .

bench: $(STAMP) ## Measure against the floors (OUT=bench.json writes it too, ROUNDS=30)
	@$(PY) -m tests.bench.run --rounds $(ROUNDS) $(if $(OUT),--out $(OUT)) $(ARGS)

campaign: $(STAMP) ## Crash points, faults, random worlds, killed processes, power cuts (SEEDS=1000, DEPTH=2, KILLS=300, MINUTES=20)
	@$(PY) -m tests.crash.campaign

mutants: $(STAMP) ## Plant deliberate faults in a copy of the tree and show which test catches each (ARGS=part of a name)
	@$(PY) -m tests.mutants $(ARGS)

soak: $(STAMP) ## Kill the agent at random moments under eight clients, then judge (KILLS=24, MINUTES=30)
	@$(PY) -m tests.soak.soak $(ARGS)

siege: $(STAMP) ## Hostile clients around a running agent: latency of an honest one, memory (ARGS="--seconds 20")
	@$(PY) -m tests.fuzz.siege $(ARGS)

fuzz: $(STAMP) ## Fuzz the borders; guided by coverage where atheris is installed (ARGS="frame --seconds 60")
	@$(PY) -m tests.fuzz.guided $(ARGS)

clean: ## Remove .venv, caches and build output
	rm -rf $(VENV) .coverage .coverage.* htmlcov build dist .hypothesis .import_linter_cache
	rm -rf .vm .windows .mypy_cache .pytest_cache .ruff_cache agent/dist client/dist
	find agent client tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

requirements: ## Renew requirements.txt from the three pyproject.toml (needs uv)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-emit-package taxclient \
	    --custom-compile-command "make requirements" --output-file requirements.txt \
	    --group dev client/pyproject.toml agent/pyproject.toml

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): requirements.txt client/pyproject.toml agent/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=... ")'
	@[ -x $(BIN)/pip ] || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "filling $(VENV) from requirements.txt"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	    --editable client --editable agent
	@touch $@
