# Everything is in Python (`chu --help`); here is only how it gets installed and checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps

.DEFAULT_GOAL := help
.PHONY: help install run test test-attack test-cluster test-serving lint cli-reference lock clean

help: ## print these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create the environment in .venv (the other commands call it)

# setuptools first: PySpark comes as source, and is built by the pinned version instead of whatever is newest.
$(STAMP): requirements.lock setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "make: Python 3.11 or later is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "installing into $(VENV) (once, a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^setuptools==/,/[^\\]$$/p' requirements.lock > $(VENV)/build.lock
	@$(PIP) -r $(VENV)/build.lock
	@$(PIP) --no-build-isolation -r requirements.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@

run: install ## make the whole graph (of a demonstration pack if CHU_SOURCES is unset), then serve it
	@$(BIN)/chu run

test: install ## run the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-attack: install ## attack what is published of a larger pack too (minutes)
	@CHU_TEST_ATTACK=true $(BIN)/python -m pytest chu_platform_tests/pipeline/test_attack.py

test-cluster: install ## compare the engines on a standalone Spark cluster, started and stopped for it
	@JDK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" PATH="$(CURDIR)/$(BIN):$$PATH" docker/spark-cluster.sh sh -c 'CHU_TEST_SPARK_REMOTE=$$CHU_SPARK_REMOTE exec \
		$(BIN)/python -m pytest chu_platform_tests/pipeline/test_engines.py'

test-serving: install ## drop files before the servers, restart them in the middle (minutes)
	@CHU_TEST_SERVING=true $(BIN)/python -m pytest chu_platform_tests/automation/test_serving.py

lint: install ## check style, types and the direction of imports
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

cli-reference: install ## write docs/cli.md, the reference of the commands, from the commands
	@$(BIN)/python docs/cli_reference.py

lock: install ## resolve setup.py anew into requirements.lock (needs uv)
	@printf 'edsnlp==0.23.0\nsetuptools>=77\n' | uv pip compile --quiet --universal --fork-strategy fewest \
		--python-version 3.11 --extra test --extra deployment --generate-hashes --no-annotate --upgrade \
		--custom-compile-command 'make lock' setup.py - --output-file requirements.lock

clean: ## remove the environment and tool caches; says what it removes, leaves CHU_HOME (.chu) alone
	@for path in $(VENV) build chu_platform.egg-info .mypy_cache .ruff_cache .pytest_cache; do \
		if [ -e "$$path" ]; then echo "removing $$path"; rm -rf "$$path"; fi; done
	@find chu_platform chu_platform_tests -name __pycache__ -prune -exec rm -rf {} +
