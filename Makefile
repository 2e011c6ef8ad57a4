# One word for each thing to do; `make help` lists them.
# PYTHON names the interpreter that the virtual environment is made of: make test PYTHON=python3.13
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.installed
SOURCES := platform mms handsets billing tests manage.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench chaos fuzz lock clean

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(STAMP) ## the whole story against simulated handsets, until Ctrl-C; ONCE=1: checked, then ended
	$(PY) manage.py servers start
	$(PY) manage.py demo $(if $(ONCE),--once)

test: $(STAMP) ## every test, on real servers
	$(PY) -m pytest

lint: $(STAMP) ## style, common mistakes, and the direction of imports
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	PYTHONPATH=.:platform .venv/bin/lint-imports --no-logo
	@loose=$$(ls mms/*.py | grep -vE '/(__init__|apps|tasks)\.py$$'); test -z "$$loose" \
		|| { echo "Modules of mms belong in a folder: $$loose"; exit 1; }

types: $(STAMP) ## mypy, strict
	$(PY) -m mypy

bench: $(STAMP) ## figures beside the machine's own limits
	$(PY) manage.py servers start
	$(PY) manage.py bench --messages 5000

chaos: $(STAMP) ## thousands of messages while everything fails that can; SEED=1 MESSAGES=5000
	$(PY) manage.py chaos --seed $(or $(SEED),1) --messages $(or $(MESSAGES),5000)

fuzz: $(STAMP) ## 100,000 damaged inputs to each parser of what others send; SEED=n: other ones
	PYTHONPATH=.:platform $(PY) -m tests.fuzz $(if $(SEED),--seed $(SEED))

lock: $(STAMP) ## newest versions that pyproject.toml allows, with their hashes
	$(PY) -m uv pip compile $(LOCKING) --output-file requirements.txt pyproject.toml
	$(PY) -m uv pip compile $(LOCKING) --output-file requirements-dev.txt --extra dev -c requirements.txt pyproject.toml

LOCKING := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

clean: ## removes the environment, and the servers with their data
	@if [ -x $(PY) ]; then $(PY) manage.py servers destroy; fi
	rm -rf .venv var .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Made again whenever the lock or the project's own settings change; hashes are checked for every package.
$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: name one, as in  make test PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' \
		|| { echo "This Python lacks its venv module: install it (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
