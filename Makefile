# make demo   needs only Python 3.11 or newer; everything else goes into .venv
# make test   the whole suite, lint, format and types

PYTHON ?= python3
WORKERS ?= logical
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# One thread for each test process: several processes with many threads each fight over the same cores.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8

# Stamps: a finished installation is done again only when what it was made from changes.
RUNTIME := $(VENV)/.installed-runtime
DEVELOPMENT := $(VENV)/.installed-development
BENCHMARKS := $(VENV)/.installed-benchmarks

.PHONY: help demo test test-slow lint format bench clean

help:
	@echo "make demo        install what the demo needs and run it"
	@echo "make test        lint, format check, types and the whole suite"
	@echo "make test-slow   the tests marked slow"
	@echo "make lint        lint, format check and types only"
	@echo "make format      fix formatting, and what lint can fix"
	@echo "make bench       measure the claimed speeds, into results/bench.json"
	@echo "make clean       remove caches and build outputs; .venv stays"

demo: $(RUNTIME)
	$(BIN)/tickets demo

test: lint
	$(PYTEST)

test-slow: $(DEVELOPMENT)
	$(PYTEST) -m slow

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(DEVELOPMENT)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCHMARKS)
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable .
	@touch $@

$(DEVELOPMENT): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[dev,robust]'
	@touch $(RUNTIME) $@

$(BENCHMARKS): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) --editable '.[bench]'
	@touch $(RUNTIME) $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
