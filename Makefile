.POSIX:
.SUFFIXES:

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the slow tests use besides Python; `make ci-packages` installs it.
APT_PACKAGES = curl rclone s3cmd
APT_INSTALL = DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends

.PHONY: help demo test test-all lint format bench s3-tests differential mutation clean ci-packages

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

$(VENV)/demo.stamp: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "denyproxy needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp
	$(PIP) --editable '.[dev]'
	@touch $@

demo: $(VENV)/demo.stamp ## an S3 server, users who are denied, and denyproxy that says why
	@DENYPROXY_MINISTACK_VENV="$$PWD/.venv-ministack" $(BIN)/denyproxy demo

test: $(VENV)/dev.stamp ## the tests (minutes)
	$(BIN)/python -m pytest -m 'not slow' --numprocesses auto --maxprocesses 4 --dist loadfile

test-all: $(VENV)/dev.stamp ## the slow tests too: other clients and servers; see `make ci-packages`
	$(BIN)/python -m pytest -m slow -rs

lint: $(VENV)/dev.stamp ## ruff, mypy and the import rules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy denyproxy tests
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## ruff's fixes and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/dev.stamp ## memory and speed
	@$(BIN)/python -m benchmarks

s3-tests: $(VENV)/dev.stamp ## ceph/s3-tests (S3TESTS=DIR) or S3TEST_COMMAND, direct and through denyproxy
	@$(BIN)/python -m tests.s3_tests

differential: $(VENV)/dev.stamp ## the evaluation against an independent one, on 200,000 generated cases
	$(BIN)/python -m tests.reference.differential --cases 200000

mutation: $(VENV)/dev.stamp ## do the tests of the evaluation find every change of it? (mutmut; half an hour)
	$(PIP) --editable '.[dev,mutation]'
	$(BIN)/python -m tests.reference.mutation

ci-packages: ## install what `make test-all` uses from Debian (as root)
	apt-get update --quiet=2
	$(APT_INSTALL) $(APT_PACKAGES)
	command -v npm || $(APT_INSTALL) nodejs npm

clean: ## remove environments and caches
	rm -rf $(VENV) .venv-*.lock .venv-ministack .venv-seaweedfs .venv-awscli .venv-mitmproxy .venv-s3tests .node .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .mutation dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
