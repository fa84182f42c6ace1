# Everything a fresh machine needs is Python >= 3.11 and make; `make` alone lists the commands.
VENV  := .venv
LAB   := $(VENV)/bin/lab
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install check test up down prove lint constraints clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

install: $(STAMP)  ## create .venv with everything in it (uv if it is there, else venv and pip)

$(STAMP): pyproject.toml constraints.txt bootstrap.sh
	@sh bootstrap.sh $(VENV)
	@touch $@

check: $(STAMP)  ## grade project/ on all labs and print the report
	@$(LAB) check

test: $(STAMP)  ## all tests: lint, types, labkit, the reference, a slice of the proof
	@$(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/mypy
	@$(VENV)/bin/pytest -n 2 tests

up: $(STAMP)  ## run the whole stack: database, migrations, API, worker, one log
	@$(LAB) up

down: $(STAMP)  ## stop the PostgreSQL that the checks keep running between runs
	@$(LAB) down

prove: $(STAMP)  ## the full proof that the checks are right
	@$(LAB) prove

lint: $(STAMP)  ## format and lint
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix . && $(VENV)/bin/mypy

constraints: $(STAMP)  ## pin the newest versions of everything for everybody
	@$(VENV)/bin/python -m pip install --quiet uv && $(VENV)/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras pyproject.toml -o constraints.txt

clean:  ## stop what runs and delete .venv and caches
	@test ! -x $(LAB) || $(LAB) down
	@rm -rf $(VENV) .lab .pytest_cache .mypy_cache .ruff_cache .hypothesis
