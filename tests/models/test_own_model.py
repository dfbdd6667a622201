"""A model of one's own: the example does what every architecture must do, and trains with one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "own_model"


def run(words: list[str], folder: Path | str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "MMER_MODELS": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", *words], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_example_is_short():
    assert len((EXAMPLE / "gated_fusion.py").read_text().splitlines()) <= 60


def test_the_example_does_what_every_architecture_must():
    words = ["pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "tests/models/test_architectures.py"]
    done = run([*words, "-k", "gated_fusion"], EXAMPLE)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_the_example_is_trained_and_reported(tmp_path):
    labels = ["calm", "glad"] * 12
    vectors = np.array([[label == "glad", 1.0] for label in labels], dtype=float)
    corpus = import_arrays(
        tmp_path / "corpus",
        ids=[f"c{k}" for k in range(24)],
        labels=Labels(values=labels, kind="classes", name="emotion"),
        splits=["train"] * 12 + ["valid"] * 6 + ["test"] * 6,
        features={"mine": ("audio", vectors)},
    )
    words = ["mmer_fairseq.cli.main", "compare", str(corpus), "--archs", "gated_fusion", "--seeds", "1"]
    words += ["--out", str(tmp_path / "out"), "--device", "cpu"]
    done = run([*words, "--", "--features", "audio=mine", "--max-epoch", "8", "--lr", "1e-2"], EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert "gated_fusion reaches" in done.stdout or "UAR" in done.stdout
    assert (tmp_path / "out" / "report" / "report.html").exists()


@pytest.mark.parametrize("fault", ["no folder", "a name that is taken"])
def test_wrong_folders(tmp_path, fault):
    if fault == "no folder":
        folder = tmp_path / "none"
        expected = (
            f"MMER_MODELS: expected folders with files of models, ':' between them; found '{folder}', which is no "
            "folder. Correct the variable, or unset MMER_MODELS."
        )
    else:
        folder = tmp_path
        (folder / "jmt.py").touch()
        ours = ROOT / "mmer_fairseq" / "models" / "jmt.py"
        expected = (
            f"{folder}/jmt.py: expected a name that no other file of models has; found that of {ours}. "
        )
        expected += "Rename the file."
    done = run(["mmer_fairseq.cli.main", "compare", "--help"], folder)
    assert done.returncode == 0  # what needs no models is not stopped
    done = run(["mmer_fairseq.cli.main", "compare", "x", "--archs", "lf_rnn", "--out", "y"], folder)
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: {expected}\n")
