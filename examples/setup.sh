#!/usr/bin/env bash
# Makes the virtual environment in $VENV (.venv) with the versions of constraints.txt. Needs Python 3.11 or later,
# a C++ compiler (fairseq is built from source, about four minutes), and 7 GB of disk, and more while pip loads.
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
[ -x "$VENV/bin/python" ] || "$PYTHON" - "$VENV" <<'CHECK'
import shutil, sys
from pathlib import Path
folder = Path(sys.argv[1]).absolute()
free = shutil.disk_usage(next(parent for parent in folder.parents if parent.exists())).free / 1e9
if free < 7:
    sys.exit(f"error: {folder}: expected at least 7 GB of free disk; found {free:.1f} GB. Free some, or name a folder on "
             "another disk: make quickstart VENV=/other/disk/venv")
CHECK
[ -x "$VENV/bin/python" ] || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
touch "$VENV/.ready"
