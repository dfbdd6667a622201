# Set-up, tests and a first model. Each target is a plain script that can be read and run by itself.
PYTHON ?= python3
VENV ?= .venv
export PYTHON VENV

.PHONY: quickstart test lint setup

setup: $(VENV)/.ready

$(VENV)/.ready: setup.py constraints.txt examples/setup.sh
	bash examples/setup.sh

quickstart: setup
	bash examples/quickstart.sh

test: setup
	bash tests/run.sh

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy mmer_fairseq
