#!/usr/bin/env bash
# Runs the tests in parallel on all cores; arguments go to pytest, e.g. tests/run.sh tests/metrics -k f1
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 # the parallel test processes share the cores
exec "${VENV:-.venv}/bin/python" -m pytest -n "${WORKERS:-auto}" "$@"
