# `make demo` and `make test` need Python 3.11 or newer, make and git, and set up everything else.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= $(or $(TMPDIR),/tmp)/rota-demo
# Tests that start processes wait as much as they compute: twice as many at a time as there are processors, of two.
WORKERS ?= 4
PYTEST_ARGS ?=
KILLS ?= 200

.PHONY: demo test check unit soak bench lock clean

$(VENV)/.run: requirements/pip.txt requirements/run.txt
	@test -n "$(PYTHON)" || { echo "rota needs Python 3.11 or newer on PATH; hint: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/pip.txt
	@echo "Installing rota's dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@touch $@

# The editable install needs hatchling, which only the development set carries;
# to run rota, a .pth file that names src/ and a launcher are enough.
$(VENV)/.rota: $(VENV)/.run scripts/link_checkout.py
	@$(BIN)/python scripts/link_checkout.py
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.rota
	@echo "Installing the development tools into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

## demo: the example workspace on real input; ONCE=1 ends after the run, CALENDAR=path-or-URL uses yours
demo: $(VENV)/.rota
	@$(BIN)/python -m scripts.demo --dir "$(DEMO_DIR)" $(if $(ONCE),--once) $(if $(CALENDAR),--calendar "$(CALENDAR)")

## test: every check and every test, with the coverage gate
test: check
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

## check: the quick part alone: style, types, floors, sizes
check: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir $(VENV)/.lint-imports
	@$(BIN)/python scripts/check_sizes.py

## unit: the fast tests
unit: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 -q tests/unit tests/meta $(PYTEST_ARGS)

## soak: kill -9 at random moments, KILLS times; nothing may be lost, doubled or left
soak: $(VENV)/.dev
	@$(BIN)/python -m scripts.soak --kills $(KILLS) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report "$(REPORT)")

## bench: rota, its peers and the machine, measured in turns (an hour or more); ROTA=1: without the peers, in 3 minutes
bench: $(VENV)/.rota
	@$(BIN)/python -m bench $(if $(ROTA),--rota) $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(JSON),--json "$(JSON)") $(if $(CHART),--chart "$(CHART)")

## lock: pin the requirements anew, with hashes (needs uv on PATH)
lock:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --allow-unsafe requirements/pip.in -o requirements/pip.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --allow-unsafe pyproject.toml requirements/dev.in -o requirements/dev.txt
	for peer in bench/requirements/*.in; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade $$peer -o $${peer%.in}.txt || exit 1; done

clean:
	rm -rf $(VENV) bench/.venvs bench/.work .mypy_cache .ruff_cache .pytest_cache .coverage* dist
