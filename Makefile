# The commands of this project. `make run` and `make test` need nothing but Python 3.11+ and network access to PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Containers often set it; without bytecode, pytest rewrites every test module again in every worker.
unexport PYTHONDONTWRITEBYTECODE
COMPOSE ?= docker compose

.PHONY: help run test listening indextts quick bench lint types contracts protos dashboards check-protos lint-protos format up down e2e clean

help:  ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The environment is rebuilt when what it is made of changes.
$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.server: pyproject.toml constraints.txt
	test -f $(VENV)/.dev || $(PYTHON) -m venv $(VENV)
	test -f $(VENV)/.dev || $(BIN)/pip install --quiet -c constraints.txt -e '.[gateway,server]'
	touch $@

run: $(VENV)/.server  ## Set up, start the server, speak a sentence to out/hello.wav, keep serving
	@.ci/run-server $(ARGS)

test: $(VENV)/.dev  ## Set up and run every test that can run on this machine
	$(BIN)/pytest -n auto --dist loadfile -m "not stack and not e2e and not browser and not listening" $(ARGS)

listening: $(VENV)/.dev  ## The tests that transcribe and measure minutes of speech
	$(BIN)/pytest -n 2 --dist load --maxschedchunk 1 -m listening tests/parity $(ARGS)

indextts: $(VENV)/.dev  ## The tests of IndexTTS with its library, which is installed beside (.venv-indextts)
	.ci/indextts $(ARGS)

quick: $(VENV)/.dev  ## The tests to run while working, on all cores
	$(BIN)/pytest -n auto --dist loadfile -m "not slow" tests/unit tests/integration/test_contract.py $(ARGS)

bench: $(VENV)/.dev  ## Compare with piper-tts in one run, in turns; prints a table, writes out/bench.json
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/.dev  ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev  ## Types
	$(BIN)/mypy
	$(BIN)/mypy -p benchmarks -p dashboards.generate

contracts: $(VENV)/.dev  ## Import contracts
	$(BIN)/lint-imports

dashboards: $(VENV)/.dev  ## Write dashboards/*.json
	$(BIN)/python -m dashboards.generate

protos:  ## Generate the stubs from protos/
	.ci/gen-protos

check-protos:  ## Stubs fresh?
	.ci/check-protos

lint-protos:  ## Lint the contract with buf
	.ci/buf lint protos

format: $(VENV)/.dev  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# On CUDA where Docker has the NVIDIA runtime; WITH=alerting,logs,load,gpu-metrics adds profiles.
up:  ## Start the server and all that watches it in containers: docs/compose.md
	COMPOSE_PROFILES=$$(docker info --format '{{json .Runtimes}}' | grep -q '"nvidia"' && echo gpu || echo cpu),$(WITH) \
	REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) $(COMPOSE) up --build --detach --wait $(ARGS)

down:  ## Stop these containers; voices, metrics and traces are kept
	$(COMPOSE) --profile '*' down $(ARGS)

e2e: $(VENV)/.dev  ## Build the image, bring the stack up, hold its metrics, spans and logs against a client's count
	$(COMPOSE) build server-cpu
	PHONOSCOPE_CI_COMPOSE="$(COMPOSE)" $(BIN)/pytest -m e2e tests/e2e $(ARGS)

clean:  ## Remove the environment, caches and output
	rm -rf $(VENV) .venv-indextts .cache out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
