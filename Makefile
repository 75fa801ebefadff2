# Holdfast. `make help` lists the targets.
#
# The first `run` or `test` makes .venv from the lock files; later ones touch no network. The stamps
# .venv/.runtime and .venv/.dev say what is installed and are stale once a lock file or pyproject.toml is newer.
# The clients for tests/wire have environments of their own in .venv-clients, each with a stamp too.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

# Arguments of your own for the command behind run, test, bench or coverage.
ARGS ?=
# How long `make run` trades, for example FOR=60s; without it until interrupted.
FOR ?=
# Test processes: a number, or auto for one a core. Many tests wait for other processes: five for two cores keep them busy.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(5 * (os.cpu_count() or 1) // 2)' 2>/dev/null || echo auto)
# Percent of lines and branches on floors 0 and 1 that the tests must reach, or `make coverage` fails.
FAIL_UNDER ?= 95
# What reaches them: their own tests, and the laws, without those that break the engine on purpose.
FLOOR_TESTS := $(addprefix tests/,model engine exchange indicators strategies stats laws) --ignore=tests/laws/test_mutants.py

# Other people's clients, for tests/wire: each has a lock file and an environment of its own.
CLIENTS := $(patsubst requirements/clients/%.in,%,$(wildcard requirements/clients/*.in))
CLIENT_STAMPS := $(CLIENTS:%=.venv-clients/%/.installed)

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-header --no-annotate --no-emit-index-url
LOCK := $(COMPILE) pyproject.toml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format bench coverage lock clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# An environment made for development holds all that a run needs: never install over it.
run: $(if $(wildcard $(DEV)),$(DEV),$(RUNTIME)) ## Trade (paper by default): make run FOR=60s ARGS="..."
	@$(BIN)/holdfast run $(if $(FOR),--for $(FOR)) $(ARGS)

test: $(DEV) $(CLIENT_STAMPS) ## Run the tests: make test WORKERS=4 ARGS="-k fills"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(DEV) ## Lint, format, types, import floors, lock files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@! grep -nE '://|^ *-' requirements/*.txt requirements/clients/*.txt | grep -v -- '--hash=' \
		|| { echo 'A lock file names a place to download from: make it with "make lock".' >&2; exit 1; }

format: $(DEV) ## Format the code and apply safe fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(DEV) ## Run the benchmarks: make bench ARGS="..."
	@$(BIN)/python -m bench $(ARGS)

coverage: $(DEV) ## Run the tests of floors 0 and 1 and report what they leave out there
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n $(WORKERS) $(FLOOR_TESTS) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=$(FAIL_UNDER)

# Pins are kept unless pyproject.toml or a clients' .in file asks for others; `make lock UPGRADE=1` moves all to the newest.
# The development lock comes first; the runtime lock is a part of it, so both always agree.
lock: $(DEV) ## Write requirements/*.txt and requirements/clients/*.txt anew
	$(LOCK) $(if $(UPGRADE),--upgrade) --all-extras --group dev --output-file requirements/dev.txt
	$(LOCK) --upgrade --all-extras --group build --constraint requirements/dev.txt --output-file requirements/runtime.txt
	set -e; for client in $(CLIENTS); do \
		$(COMPILE) $(if $(UPGRADE),--upgrade) --override requirements/clients/overrides.txt \
			requirements/clients/$$client.in --output-file requirements/clients/$$client.txt; \
	done

clean: ## Remove caches, builds and coverage data
	rm -rf build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv and .venv-clients too
	rm -rf $(VENV) .venv-clients

$(BIN)/python:
	@v=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 'not there'); \
	case "$$v" in 3.11|3.12|3.13) ;; *) \
		echo "Holdfast runs on Python 3.11, 3.12 and 3.13, but $(PYTHON) is $$v." >&2; \
		echo 'Name another: make PYTHON=/path/to/python3.12 ...' >&2; exit 1;; \
	esac
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what a run needs into $(VENV) ...' >&2
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo 'Installing what development needs into $(VENV) ...' >&2
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# A lock file names everything there is to install; resolving it once more would only undo the overrides.
.venv-clients/%/.installed: requirements/clients/%.txt | $(DEV)
	@echo 'Installing $* into .venv-clients/$* ...' >&2
	@$(BIN)/python -m venv --clear --without-pip $(@D)
	@$(PIP) --python $(@D)/bin/python install --no-compile --no-deps --require-hashes -r $<
	@touch $@
