# The commands of this project. `make run` and `make test` need nothing but Python 3.11+ and network access to PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test quick bench lint types contracts protos check-protos lint-protos format clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The environment is rebuilt when what it is made of changes.
$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.server: pyproject.toml constraints.txt
	test -f $(VENV)/.dev || $(PYTHON) -m venv $(VENV)
	test -f $(VENV)/.dev || $(BIN)/pip install --quiet -c constraints.txt -e '.[server]'
	touch $@

run: $(VENV)/.server  ## Set up, start the server, speak a sentence to out/hello.wav, keep serving
	@.ci/run-server $(ARGS)

test: $(VENV)/.dev  ## Set up and run every test that can run on this machine
	$(BIN)/pytest $(ARGS)

quick: $(VENV)/.dev  ## The tests to run while working: about a minute
	$(BIN)/pytest -m "not slow" tests/unit tests/integration/test_contract.py $(ARGS)

bench: $(VENV)/.dev  ## Compare with piper-tts in one run, in turns; prints a table, writes out/bench.json
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.dev  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## Types
	$(BIN)/mypy
	$(BIN)/mypy -p benchmarks

contracts: $(VENV)/.dev  ## Import contracts
	$(BIN)/lint-imports

protos:  ## Generate the stubs from protos/
	.ci/gen-protos

check-protos:  ## Stubs fresh?
	.ci/check-protos

lint-protos:  ## Lint the contract with buf
	.ci/buf lint protos

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment, caches and output
	rm -rf $(VENV) .cache out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
