# `make run` serves the current folder; `make test` runs the tests. Both need Python 3.11 or later
# and nothing else: what else is needed goes into .venv.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?= http.server:SimpleHTTPRequestHandler --listen tcp://127.0.0.1:8000 --threaded
PYTEST_ARGS ?=
CONFORMANCE_ARGS ?=
CHAOS_ARGS ?=
SOAK_ARGS ?=
ROLLING_ARGS ?=

BENCH_VENV ?= .venv-bench
BENCH_ARGS ?=

.PHONY: run test coverage conformance chaos soak rolling check lint format types bench bench-long \
	bench-tools clean

run: $(VENV)/run
	@exec $(BIN)/python -m acceptor $(ARGS)

test: $(VENV)/dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# The tests once more, measuring which lines they reach; that takes twice the time.
coverage: $(VENV)/dev
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

# CPython's own suites with acceptor.classic in the place of socketserver.
conformance: $(VENV)/run
	@$(BIN)/python -m conformance $(CONFORMANCE_ARGS)

# Every fault in every server, as a table; a short form of it is among the tests.
chaos: $(VENV)/run
	@$(BIN)/python -m chaos $(CHAOS_ARGS)

# Full load for a quarter of an hour: memory, descriptors, threads and children stay flat.
soak: $(VENV)/run
	@$(BIN)/python -m chaos.soak $(SOAK_ARGS)

# Restarts under load behind one port: no client may see an error. Needs wrk.
rolling: $(VENV)/run
	@$(BIN)/python -m chaos.rolling $(ROLLING_ARGS)

check: lint types test

lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/dev
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 acceptor examples
	$(BIN)/mypy --platform darwin acceptor examples
	$(BIN)/pyright

# Side by side with the peers, in under five minutes; bench-long is for the record, and takes most of
# an hour on a machine that does nothing else. Both write benchmarks/results.md and results.svg,
# unless BENCH_ARGS leaves something out: BENCH_ARGS='--only lines-64 --contestants threaded,c'.
bench: $(BENCH_VENV)/ready bench-tools
	@$(BENCH_VENV)/bin/python -m benchmarks $(BENCH_ARGS)

bench-long: $(BENCH_VENV)/ready bench-tools
	@$(BENCH_VENV)/bin/python -m benchmarks --long $(BENCH_ARGS)

bench-tools:
	@command -v gcc >/dev/null && command -v wrk >/dev/null && echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1 || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends gcc libc6-dev wrk >/dev/null; } || \
		{ echo 'gcc and wrk are needed: apt-get install gcc libc6-dev wrk' >&2; exit 1; }

clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What is needed to serve, and what is needed to work on it. Made again when the packages change.
$(VENV)/run: pyproject.toml
	@$(if $(PYTHON),,$(error Python 3.11 or later is needed, and none was found; set PYTHON=...))
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

$(BENCH_VENV)/ready: pyproject.toml benchmarks/requirements.txt
	@$(if $(PYTHON),,$(error Python 3.11 or later is needed, and none was found; set PYTHON=...))
	@$(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable . \
		--requirement benchmarks/requirements.txt
	@touch $@
