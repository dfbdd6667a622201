"""Runs whose programs are short scripts, so that every way in which a run can end is seen at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mmer_fairseq.compare.job import JobFolder
from mmer_fairseq.compare.plan import Job, System
from mmer_fairseq.reporting import commands

#: Stands for fairseq-train and fairseq-validate: a line of the log, a checkpoint, predictions; or what it is told.
PROGRAM = """
import json, os, pathlib, sys, time
words = sys.argv[1:]
def value(flag): return words[words.index(flag) + 1]
if "fairseq-validate" in words:
    pathlib.Path(value("--save-predictions")).write_text("id\\n")
    sys.exit()
folder = pathlib.Path(value("--save-dir"))
with open(folder / "places.txt", "a") as file:
    file.write(f"{os.environ['CUDA_VISIBLE_DEVICES']!r} {os.environ['OMP_NUM_THREADS']} {'--cpu' in words}\\n")
how = value("--how")
if how == "slow": time.sleep(1)
if how == "fail": sys.exit("ValueError: that went wrong")
if how == "nothing": sys.exit()
if how == "once" and not (folder / "checkpoint_last.pt").exists():
    (folder / "checkpoint_last.pt").write_text("half")
    os.kill(os.getpid(), 9)
if how == "sleep": time.sleep(60)
with open(folder / "train.log", "a") as file:
    for epoch, uar in ((1, 0.4), (2, 0.6), (3, 0.5)):
        file.write(json.dumps({"epoch": epoch, "valid_loss": "1", "valid_uar": str(uar)}) + "\\n")
for name in ("best", "last"): (folder / f"checkpoint_{name}.pt").write_text("whole")
"""


@pytest.fixture(autouse=True)
def programs(monkeypatch, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    monkeypatch.setattr(commands, "startable", lambda words: [sys.executable, str(script), *words])


@pytest.fixture
def make(tmp_path):
    """``make("A", 1, how)`` → the folder of a run that ends in this way."""

    def build(name: str = "A", seed: int = 1, how: str = "well", *flags: str) -> JobFolder:
        folder = tmp_path / name / f"seed-{seed}"
        train = (
            "fairseq-train",
            "--save-dir",
            str(folder),
            "--how",
            how,
            "--max-epoch",
            "3",
            "--lr",
            "1",
            *flags,
        )
        return JobFolder(Job(System(name, "mine"), "", seed, folder, train), "test", "toy")

    return build


def states(path: Path) -> dict:
    return json.loads((path / "run.json").read_text())
