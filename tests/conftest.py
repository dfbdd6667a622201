"""Data that the whole suite shares: made once a run, by whichever process comes first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

REPO = Path(__file__).resolve().parent.parent


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make) -> Path:
    """A folder that ``make(folder)`` fills, shared by the parallel test processes."""
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / name
    with FileLock(str(folder) + ".lock"):
        if not (base / f"{name}.made").exists():
            make(folder)
            (base / f"{name}.made").touch()
    return folder


def _toy(folder: Path) -> None:
    from mmer_fairseq.cli.main import main
    from mmer_fairseq.corpus.importers.toy import write_toy_corpus

    write_toy_corpus(folder, clips=40, seed=3)
    assert main(["tokenizer", str(folder)]) == 0


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded corpus, 40 clips, with its tokenizer. Read-only by agreement."""
    return made_once(tmp_path_factory, "toy", _toy)


@pytest.fixture(scope="session")
def command():
    """Run a program of the environment (``fairseq-train`` …) as a user would, from the repository's root."""

    def run(words: Sequence[object], *, ok: bool = True, cwd: Path = REPO, **environment: str):
        program = Path(sys.executable).parent / str(words[0])
        done = subprocess.run(
            [str(program), *map(str, words[1:])],
            cwd=cwd,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if ok:
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    return run
