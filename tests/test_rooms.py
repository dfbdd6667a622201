"""Imports point one way, and only the rooms that talk to fairseq import it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mmer_fairseq"

ROOMS = {
    "errors": set(),
    "workers": {"errors"},
    "modules": {"errors"},
    "media": {"errors"},
    "metrics": {"errors"},
    "plots": {"metrics", "errors"},
    "corpus": {"media", "errors"},
    "encoders": {"checkpoints", "modules", "errors"},
    "faces": {"corpus", "media", "workers", "errors"},
    "features": {"corpus", "encoders", "media", "workers", "errors"},
    "data": {"corpus", "encoders", "features", "media", "errors"},
    "networks": {"modules", "errors"},
    "models": {"networks", "encoders", "modules", "errors"},
    "criterions": {"metrics", "modules", "compat", "errors"},
    "optim": {"errors"},
    "tasks": {"data", "criterions", "corpus", "encoders", "optim", "compat", "errors"},
    "export": {"networks", "encoders", "modules", "errors"},
    "evaluation": {"criterions", "corpus", "media", "metrics", "compat", "errors"},
    "predict": {
        "compat_faults",
        "corpus",
        "criterions",
        "data",
        "encoders",
        "errors",
        "faces",
        "features",
        "media",
        "metrics",
        "plots",
    },
    "serve": {"predict", "plots", "media", "errors"},
    "compare": {"corpus", "plots", "reporting", "errors"},
    "reporting": {"corpus", "media", "metrics", "plots", "errors"},
    "checkpoints": {"networks", "modules", "errors"},
    "compat": {"compat_faults", "compat_logs", "errors"},
    "compat_logs": set(),
    "compat_faults": {"encoders", "errors"},
}
#: Importers write feature stores, which belong to a later room; they import it when they run.
LATE = {("corpus/importers", "features")}
FAIRSEQ = {
    "tasks", "models", "criterions", "data", "evaluation", "optim", "predict", "compat", "compat_faults", "compat_logs",
}  # fmt: skip

FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def imports(path: Path):
    """(module, whether at the top of the file) of every import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "mmer_fairseq":
                yield from ((f"mmer_fairseq.{alias.name}", node in top) for alias in node.names)
            else:
                yield node.module, node in top


def room_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part[:-3] if part.endswith(".py") else part


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path):
    room = room_of(path)
    if room in ("cli", "__init__"):
        return
    for module, at_top in imports(path):
        parts = module.split(".")
        if parts[0] == "mmer_fairseq" and len(parts) > 1 and parts[1] != room:
            late = (str(path.relative_to(PACKAGE).parent).replace("\\", "/"), parts[1]) in LATE
            assert parts[1] in ROOMS[room] or (late and not at_top), f"{room} must not import {module}"
        if parts[0].startswith("fairseq"):
            assert room in FAIRSEQ or (room == "encoders" and not at_top), f"{room} must not import fairseq"


def test_every_room_is_known():
    assert {room_of(path) for path in FILES} == set(ROOMS) | {"cli", "__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_short(path: Path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (150 if room_of(path) == "models" else 500)
