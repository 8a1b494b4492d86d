# Two commands matter: `make serve` runs Posthaste, `make test` proves it. Each first installs what it needs into .venv.
# Options are environment variables: `POSTHASTE_PORT=9000 make serve`; `.venv/bin/posthaste serve --help` lists them.

PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
INSTALL := $(PIP) install --require-hashes --requirement
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"

.PHONY: serve test bench format lock clean

serve: $(VENV)/.serve
	@exec $(VENV)/bin/posthaste serve

test: $(VENV)/.test
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo
	@exec $(VENV)/bin/pytest -n 2

bench: $(VENV)/.test
	@bench/install-wrk
	@PYTHONPATH=tests exec $(VENV)/bin/python -m bench

format: $(VENV)/.test
	@$(VENV)/bin/ruff check --fix --quiet .
	@$(VENV)/bin/ruff format .

# Raise versions with `make lock UPGRADE=--upgrade`.
lock: $(VENV)/.test
	$(PIP) install uv
	$(VENV)/bin/$(LOCK) $(UPGRADE) --extra build --output-file requirements.lock pyproject.toml
	$(VENV)/bin/$(LOCK) $(UPGRADE) --extra build --extra test --constraint requirements.lock \
		--output-file requirements-test.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The project itself is installed last, without looking for anything: what builds it (setuptools) is in the lock too.
$(VENV)/.serve: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Posthaste needs Python 3.11 or later; $(PYTHON) is {sys.version.split()[0]}. Name another: make PYTHON=python3.12")'
	@echo "Installing into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.serve requirements-test.lock
	@echo "Installing what the tests need ..."
	@$(INSTALL) requirements-test.lock
	@tests/install-browser
	@tests/install-peers
	@touch $@
