# make serve   install into .venv, pull the models, serve the page at http://127.0.0.1:8000
# make test    lint, types, floors, all tests
# make test-train   the training recipes, with PyTorch
# make test-tfjs    models of TensorFlow.js against TensorFlow.js itself, with Node
# make test-postgres  face collections on PostgreSQL too
# make test-aws     the images and the Lambda function, with a Docker daemon and the SAM CLI
# make test-import  models of other frameworks brought in, with Keras and PyTorch
# make bench-serving  serving measured beside FastAPI, LitServe and BentoML; cold start; 100,000 requests (about an hour)
PYTHON ?= python3
BIN := .venv/bin
HOST ?= 127.0.0.1
PORT ?= 8000
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: serve test test-train test-import test-tfjs test-postgres test-aws lint types floors unit chromium models figures clean

serve: .venv/base
	$(BIN)/sightline serve --pull --host $(HOST) --port $(PORT)

test: lint types floors unit

# The training recipes end to end on tiny drawn data; needs PyTorch, which `make test` does without.
test-train: .venv/dev
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,train]'
	$(BIN)/pytest tests/training

# Models of Keras, PyTorch, ONNX and TFLite brought in, converted, compared and served; needs Keras and PyTorch.
test-import: .venv/dev models
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,import]'
	$(BIN)/pytest tests/importing

# The converted models against TensorFlow.js, which npm brings; needs Node.
test-tfjs: .venv/dev models
	@npm install --silent --no-audit --no-fund --prefix .venv/tfjs @tensorflow/tfjs-core@4.22.0 \
	  @tensorflow/tfjs-converter@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
	$(BIN)/pytest tests/unit/models/test_tfjs_parity.py

# The stores of faces on a real PostgreSQL with pgvector too, which the package pgserver brings and the tests start.
test-postgres: .venv/dev
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,postgres]' pgserver
	$(BIN)/pytest tests/unit/collections

# The images built and run, and the SAM template checked, built, invoked and served. Where no Docker daemon answers, one
# is set up by ../shared/tools, if it is there. The tools have environments of their own: they pin what Sightline does not.
test-aws: .venv/dev .venv/sam .venv/checkov
	PYTHON=$(BIN)/python deploy/docker/prepare
	@set -e; docker version >/dev/null 2>&1 || { setup=../shared/tools/setup-dockerd.sh; \
	  test -f $$setup || { echo "The tests of the images need a Docker daemon that answers 'docker version'"; exit 1; }; \
	  eval "$$(bash $$setup)"; }; \
	  export PATH="$$PWD/.venv/sam/bin:$$PWD/.venv/checkov/bin:$$PATH" SIGHTLINE_TEST_DOCKER=1; \
	  $(BIN)/pytest tests/docker

.venv/sam .venv/checkov: .venv/dev
	@echo "installing $(@F)"
	@$(PYTHON) -m venv $@
	@$@/bin/python -m pip --disable-pip-version-check install --quiet $(if $(findstring sam,$@),aws-sam-cli==1.170.0,checkov)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

floors: .venv/dev
	$(BIN)/lint-imports --no-logo

unit: .venv/dev models chromium
	$(BIN)/pytest

# Real weights for the tests that need them. Where the registries cannot be reached this fails and says so:
# SIGHTLINE_OFFLINE=1 make test goes on with those that are here, and skips the tests of the others.
models: .venv/dev
	$(if $(SIGHTLINE_OFFLINE),-)$(BIN)/sightline models pull --defaults haar-frontal blazeface-short selfie-landscape blazepose-full blazepose-detector centernet-features

chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null || { \
	  echo "installing Chromium, which the browser tests drive"; \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  { echo "The browser tests need Chromium: install the package 'chromium' (as root: apt-get install chromium)"; exit 1; }; }

# The figures of the README and of the cards, measured again on this machine.
figures: .venv/dev models
	$(BIN)/python benchmarks/figures.py

# Needs a machine with nothing else to do. The peers are installed outside of the repository. QUICK=--quick: does it run?
.PHONY: bench-serving
bench-serving: .venv/dev models
	$(BIN)/python benchmarks/serving_vs_peers.py $(QUICK)
	$(BIN)/python benchmarks/cold_start.py $(QUICK)
	$(BIN)/python benchmarks/soak.py $(QUICK)

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments here; trying to install python3-venv"; rm -rf .venv; \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && $(PYTHON) -m venv .venv; } || \
	  { echo "Install it first (as root: apt-get install python3-venv)"; exit 1; }; }
	@touch $@

# One model comes from the npm registry, whose address only npm knows: where npm is missing, one comes from PyPI.
.venv/base: .venv/python pyproject.toml constraints.txt
	@echo "installing Sightline into .venv"
	@$(PIP) install --quiet --constraint constraints.txt --editable \
	  "$$(command -v npm >/dev/null || [ -n "$$NPM_CONFIG_REGISTRY" ] && echo . || echo '.[npm]')"
	@touch $@

.venv/dev: .venv/base
	@echo "installing what the tests need into .venv"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
