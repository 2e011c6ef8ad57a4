# Common tasks; `make help` lists them.
# PYTHON is the interpreter for the virtual environment: make test PYTHON=python3.13
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.installed
SOURCES := platform mms handsets billing tests manage.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench chaos fuzz lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(STAMP) ## run the platform with the simulator until Ctrl-C; ONCE=1: check the results and exit
	$(PY) manage.py servers start
	$(PY) manage.py demo $(if $(ONCE),--once)

test: $(STAMP) ## run all tests, on real servers
	$(PY) -m pytest

lint: $(STAMP) ## check style, common mistakes and the direction of imports
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	PYTHONPATH=.:platform .venv/bin/lint-imports --no-logo
	@loose=$$(ls mms/*.py | grep -vE '/(__init__|apps|tasks)\.py$$'); test -z "$$loose" \
		|| { echo "Modules of mms belong in a folder: $$loose"; exit 1; }

types: $(STAMP) ## check types with mypy (strict)
	$(PY) -m mypy

bench: $(STAMP) ## measure performance against baselines on this machine
	$(PY) manage.py servers start
	$(PY) manage.py bench --messages 5000

chaos: $(STAMP) ## send thousands of messages while servers and processes fail; SEED=1 MESSAGES=5000
	$(PY) manage.py chaos --seed $(or $(SEED),1) --messages $(or $(MESSAGES),5000)

fuzz: $(STAMP) ## feed 100,000 damaged inputs to each parser; SEED=n selects others
	PYTHONPATH=.:platform $(PY) -m tests.fuzz $(if $(SEED),--seed $(SEED))

lock: $(STAMP) ## update the locked dependencies, with hashes
	$(PY) -m uv pip compile $(LOCKING) --output-file requirements.txt pyproject.toml
	$(PY) -m uv pip compile $(LOCKING) --output-file requirements-dev.txt --extra dev -c requirements.txt pyproject.toml

LOCKING := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

clean: ## remove the environment, and the embedded servers with their data
	@if [ -x $(PY) ]; then $(PY) manage.py servers destroy; fi
	rm -rf .venv var .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Rebuilt whenever the lock file or pyproject.toml changes; the hash of every package is checked.
$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; select one with, for example, make test PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "This Python has no venv module; install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
