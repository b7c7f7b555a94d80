PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo test test-slow bench setup lock bundle clean

setup: .venv/installed

# The lock pins every package; falco itself is installed in place.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/falco demo

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(WORKERS)

test-slow: setup
	$(BIN)/pytest $(WORKERS) -m slow

# The solver against the released code's loop: about fifteen minutes, on a machine that does nothing else meanwhile.
bench: setup
	$(BIN)/python -m benchmarks.solver --json benchmarks/solver.json
	$(BIN)/python -m benchmarks.full_size --json benchmarks/full_size.json
	$(BIN)/python -m benchmarks.parts --json benchmarks/parts.json

# Tests side by side; a file's stay together. make test WORKERS= runs one after the other.
WORKERS ?= -n 2 --dist loadfile

# Trains the mini bundle from nothing: about 4 hours on 2 cores, or half an hour on a GPU (make bundle BUDGET=gpu).
BUDGET ?= cpu
bundle: setup
	$(BIN)/python -m falco_rendered.train all --work .falco/train --budget $(BUDGET)

lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet "setuptools<82" wheel .[dev]
	.venv-lock/bin/python -m pip freeze --all --exclude falco --exclude pip > requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv falco-demo
