# Everything is in Python (`chu --help`); here is only how it gets installed and checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS_STAMP := $(VENV)/.installed-tests
# The standard way to build what comes as source (PySpark): pip warns of its own way, which ends with a later pip.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --use-pep517
# Which files start first: chu_platform_tests/scheduling.py. Three on two cores, because many tests wait for servers.
PROCESSES := -n 3 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install install-tests run reports test test-fast test-system lint cli-reference lock clean

help: ## print these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## create the environment in .venv (the other commands call it)

install-tests: $(TESTS_STAMP) ## add the tools of tests and checks to it (the commands that need them call it)

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

$(TESTS_STAMP): requirements-test.lock $(STAMP)
	@echo "adding the tools of tests and checks to $(VENV) (once)"
	@$(PIP) -r requirements-test.lock
	@touch $@

run: install ## make the whole graph (of a demonstration pack if CHU_SOURCES is unset), then serve it
	@$(BIN)/chu run

test-fast: install-tests ## run the unit tests (under a minute)
	@$(BIN)/python -m pytest -n 2 --dist load -m unit

test: install-tests ## run the unit and the integration tests
	@$(BIN)/python -m pytest $(PROCESSES)

test-system: install-tests ## run the system tests part by part (up to an hour each), or PARTS="attack ..."
	@$(BIN)/python -m chu_platform_tests.system_tests $(PARTS)

lint: install-tests ## check style, types and the direction of imports; warn of missing, failed and old system tests
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m chu_platform_tests.system_tests --check

reports: install ## make the reports of the committee in reports/ (first the lake, as `make run` does, if there is none)
	@$(BIN)/chu report --make-lake reports

cli-reference: install-tests ## write docs/cli.md, the reference of the commands, from the commands
	@$(BIN)/python docs/cli_reference.py

lock: install-tests ## resolve setup.py anew into the lock files (needs uv)
	@printf 'dbt-semantic-interfaces==0.10.5\nedsnlp==0.23.0\npycanon==1.3.6\nsetuptools>=77\n' | uv pip compile --quiet --universal --fork-strategy fewest \
		--python-version 3.11 --extra test --extra deployment --generate-hashes --no-annotate --upgrade \
		--custom-compile-command 'make lock' setup.py - --output-file requirements-test.lock
	@printf 'edsnlp==0.23.0\nsetuptools>=77\n' | uv pip compile --quiet --universal --fork-strategy fewest \
		--python-version 3.11 --extra deployment --constraints requirements-test.lock --generate-hashes --no-annotate \
		--upgrade --custom-compile-command 'make lock' setup.py - --output-file requirements.lock
	@$(BIN)/python docs/only_tests.py requirements-test.lock requirements.lock
	@printf 'dagster-k8s>=0.29.27,<0.30\n' | uv pip compile --quiet --universal --python-version 3.11 \
		--constraints requirements.lock --generate-hashes --no-annotate --upgrade \
		--custom-compile-command 'make lock' - --output-file docker/kubernetes.lock

clean: ## remove the environment and tool caches; says what it removes, leaves CHU_HOME (.chu) alone
	@for path in $(VENV) build chu_platform.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis; do \
		if [ -e "$$path" ]; then echo "removing $$path"; rm -rf "$$path"; fi; done
	@find chu_platform chu_platform_tests -name __pycache__ -prune -exec rm -rf {} +
