# One-line targets; everything lives in .venv. Needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run test quick check bench lock format clean

install: .venv/.server          ## .venv with everything a user of the server gets

run: .venv/.demo                ## the gate on http://127.0.0.1:9200 in front of a WebDAV server with sample files
	$(BIN)/python examples/demo.py

test: install .venv/.dev        ## everything; real servers that are missing are skipped by name
	$(BIN)/pytest $(ARGS)

quick: .venv/.dev               ## the same without the slow ones
	$(BIN)/pytest -m "not slow" $(ARGS)

check: .venv/.dev               ## format, lint, types, import rules, wheel
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tests/wheel_smoke.py

bench: .venv/.bench             ## the tables, peers beside us in one run
	$(BIN)/python -m benchmarks $(ARGS)

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.dev                ## pin the newest versions that fit, with hashes
	for set in server: demo:demo dev:test,check bench:demo,bench; do \
	  groups=$$(echo "$${set#*:}" | tr ',' '\n' | sed '/^$$/d;s/^/--group /' | tr '\n' ' '); \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --extra store-service --group build $$groups pyproject.toml -o requirements/$${set%%:*}.txt; done

clean:
	rm -rf .venv .demo dist

.venv/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "ocgate needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

# Hashes are checked, and ocgate itself is installed without asking an index for anything.
.venv/.%: requirements/%.txt pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
