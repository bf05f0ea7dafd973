# ditto-rt: `make run` starts the daemon, `make test` runs every test; see `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
WORKERS ?= 2
ARGS ?=
SOAK_MINUTES ?= 60

# One thread each: two test processes with two threads each fight over two cores.
THREADS := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: help run test lint format train bench soak docs patches install hooks clean distclean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.stamp-run ## install what is missing and start the daemon (ARGS="--config my.toml")
	@$(BIN)/ditto-rt serve $(ARGS)

install: $(VENV)/.stamp-dev ## install everything that development needs

# What listens to JACK keeps time, and has the machine to itself. Both parts run whatever the first
# shows. Real clients on a busy machine may come late once: a failure gets one more try, and the
# summary names it.
RETRIES := --reruns 1
test: $(VENV)/.stamp-dev ## run all tests on two cores (ARGS="-k osc" picks some)
	@failed=0; \
	$(THREADS) $(BIN)/python -m pytest -q $(RETRIES) -n $(WORKERS) -m "not xdist_group" $(ARGS) \
		|| [ $$? -eq 5 ] || failed=1; \
	$(THREADS) $(BIN)/python -m pytest -q $(RETRIES) -m xdist_group $(ARGS) \
		|| [ $$? -eq 5 ] || failed=1; \
	exit $$failed

lint: $(VENV)/.stamp-dev ## ruff and mypy, as .ci/run does
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.stamp-dev ## let ruff arrange the sources
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

train: $(VENV)/.stamp-dev ## train the built-in model anew (hours; resumes where it stopped)
	$(BIN)/python -m ditto_rt.training all $(ARGS)

bench: $(VENV)/.stamp-dev ## measure the figures of docs/results.md on this machine
	$(BIN)/python -m benchmarks.controls $(ARGS)
	$(BIN)/python benchmarks/memory.py

soak: $(VENV)/.stamp-dev ## play an hour's busy set and watch the memory (SOAK_MINUTES=15)
	$(BIN)/ditto-rt bench soak --minutes $(SOAK_MINUTES) $(ARGS)

docs: $(VENV)/.stamp-dev ## write docs/protocol.md from the message table
	$(BIN)/python -m daemon.protocol.document > docs/protocol.md.new
	mv docs/protocol.md.new docs/protocol.md

patches: $(VENV)/.stamp-dev ## write the Max and Pure Data patches from max_patches/make_patches.py
	$(BIN)/python max_patches/make_patches.py

hooks: $(VENV)/.stamp-dev ## check each commit with ruff and mypy (needs the pre-commit program)
	pre-commit install

clean: ## remove caches and build folders
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find ditto_rt daemon tests max_patches -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the virtual environment too
	rm -rf $(VENV)

# torch goes in first and by itself: the same pin then gives the CUDA build on Linux, the Metal
# build on a Mac, or the CPU build where only that is offered, before anything else can pull one in.
$(VENV)/.stamp-torch:
	@python=$$(bash .ci/find-python); \
	echo "Making $(VENV) with $$($$python --version); torch takes a few minutes the first time."; \
	$$python -m venv $(VENV)
	$(BIN)/python -m pip install $(TORCH)
	@touch $@

$(VENV)/.stamp-run: pyproject.toml $(VENV)/.stamp-torch
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml $(VENV)/.stamp-torch
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.stamp-run
