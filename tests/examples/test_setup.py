"""Tests of what ``examples/setup.sh`` says before it installs anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "setup.sh"


def told(folder: Path, customised: str) -> subprocess.CompletedProcess[str]:
    """The script's end where Python starts with these lines."""
    (folder / "sitecustomize.py").write_text(customised)
    where = {"PYTHONPATH": str(folder), "VENV": str(folder / "deep" / "venv"), "PYTHON": sys.executable}
    return subprocess.run(["bash", str(SCRIPT)], env={**os.environ, **where}, capture_output=True, text=True)


def test_a_full_disk_is_told_before_anything_is_made(tmp_path):
    ended = told(
        tmp_path,
        "import shutil\nfrom types import SimpleNamespace\n"
        "shutil.disk_usage = lambda folder: SimpleNamespace(free=381e6)\n"
        "import sys\nsys.version_info = (3, 11, 7, 'final', 0)\n",
    )
    assert ended.returncode != 0
    assert ended.stderr == (
        f"error: {tmp_path / 'deep' / 'venv'}: expected at least 7 GB of free disk; found 0.4 GB. Free some, or name a "
        "folder on another disk: make quickstart VENV=/other/disk/venv\n"
    )
    assert not (tmp_path / "deep").exists()


def test_an_old_python_is_told(tmp_path):
    ended = told(
        tmp_path, "import sys\nsys.version_info = (3, 10, 1, 'final', 0)\nsys.version = '3.10.1 of old'\n"
    )
    assert ended.returncode != 0
    assert ended.stderr == (
        "error: PYTHON: expected Python 3.11 or later; found 3.10.1. Name another one: "
        "make quickstart PYTHON=python3.11. (For 3.9 and 3.10 see the README.)\n"
    )
    assert not (tmp_path / "deep").exists()
