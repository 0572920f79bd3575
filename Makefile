# Everything a newcomer types. `chat` and `test` do their own set-up; a second run skips it.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup chat test check browser gate bench clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "On Record needs Python 3.11 or newer; set PYTHON=python3.11 or the like.")'
	@echo "Setting up .venv (a few minutes, the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --editable .
	@touch $@

.venv/ready-dev: .venv/ready
	@$(PIP) --editable '.[dev]'
	@touch $@

chat: .venv/ready
	$(BIN)/onrecord serve

test: .venv/ready-dev
	$(BIN)/python -m pytest -q -m 'not browser'

browser: .venv/ready-dev
	$(BIN)/python -m pytest -q -m browser

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

gate: .venv/ready
	$(BIN)/onrecord eval gate

bench: .venv/ready
	$(BIN)/python -m eval.benchmark

clean:
	rm -rf .venv build dist
