# Every target does its own set-up: from a fresh clone, Python >= 3.11 and make are enough.
# Another interpreter: make PYTHON=/usr/bin/python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test processes, each with one thread; a file goes to one of them as a whole, because the blocks of
# a document build on each other.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile
# The packages whose lines the tests must cover, and how far (percent).
COVERED := equation graph autodiff passes
COVERAGE := 95
INVENTED := cellwise blorf grumbletoast quizzaciously snarkling zephyrine

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format-check lint types tests-and-docs laws coverage fmt hooks wheel clean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## a virtual environment in .venv with all that the project needs

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Cellwise needs Python 3.11 or newer, and $(PYTHON) is" \
	    "`$(PYTHON) --version 2>&1`. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## train a small pronunciation model, judge it, and ask it for invented words
	rm -rf runs/demo
	$(BIN)/cellwise train pronounce_demo --out runs/demo
	@echo; echo "Words that nobody wrote before:"
	$(BIN)/cellwise predict runs/demo $(INVENTED)

test: $(READY) ## the tests
	$(PYTEST) tests

check: format-check lint types tests-and-docs ## all that CI runs: format, lint, types, tests, examples

format-check: $(READY)
	$(BIN)/ruff format --check --diff .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

tests-and-docs: $(READY)
	$(PYTEST)

laws: $(READY) ## the laws alone; a long run: CELLWISE_EXAMPLES=10000 make laws
	$(PYTEST) tests/laws

coverage: $(READY) ## the tests with line coverage, which must reach its bound where it is promised
	rm -f .coverage .coverage.*
	$(PYTEST) --cov --cov-report= tests
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=$(COVERAGE) \
	  --include='$(shell echo "$(COVERED)" | sed "s|\([a-z]*\)|src/cellwise/\1/*|g; s| |,|g")'

fmt: $(READY) ## format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

hooks: $(READY) ## run format, lint and types before every commit
	$(BIN)/pre-commit install

wheel: $(READY) ## a wheel in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what was made, .venv too; runs/ stays
	rm -rf $(VENV) dist build htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -exec rm -rf {} +
