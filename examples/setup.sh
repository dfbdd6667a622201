#!/usr/bin/env bash
# Makes the virtual environment in $VENV (.venv) with the versions of constraints.txt. Needs Python 3.11 or later,
# a C++ compiler (fairseq is built from source, about four minutes), and about 6 GB of disk.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}
PYTHON=${PYTHON:-python3}

"$PYTHON" - <<'CHECK'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"error: PYTHON: expected Python 3.11 or later; found {sys.version.split()[0]}. "
             "Name another one: make quickstart PYTHON=python3.11. (For 3.9 and 3.10 see the README.)")
CHECK
rm -f "$VENV/.ready"
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
touch "$VENV/.ready"
