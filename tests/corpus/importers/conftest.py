"""The synthetic trees of ``trees/``: tests import them by name, and each has its own copy of one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def root(tmp_path: Path, pattern: Path) -> Path:
    """A copy of ``pattern``, the tree that the module of the test makes once."""
    return Path(shutil.copytree(pattern, tmp_path / pattern.name))
