# Everything a fresh machine needs is Python >= 3.11 and make; `make` alone lists the commands.
VENV  := .venv
LAB   := $(VENV)/bin/lab
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install check up down clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

install: $(STAMP)  ## create .venv with everything in it (uv if it is there, else venv and pip)

$(STAMP): pyproject.toml constraints.txt bootstrap.sh
	@sh bootstrap.sh $(VENV)
	@touch $@

check: $(STAMP)  ## grade project/ on all labs and print the report
	@$(LAB) check

up: $(STAMP)  ## run the whole stack: database, migrations, API, worker, one log
	@$(LAB) up

down: $(STAMP)  ## stop the PostgreSQL that the checks keep running between runs
	@$(LAB) down

clean:  ## stop what runs and delete .venv and caches
	@test ! -x $(LAB) || $(LAB) down
	@rm -rf $(VENV) .lab .pytest_cache .mypy_cache .ruff_cache .hypothesis

-include authors.mk
