"""Every recipe in ``examples/`` runs: one epoch of a narrow network on the toy corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NARROW = [
    "--encoder-embed-dim", "32", "--encoder-embed-dim-a", "32", "--encoder-embed-dim-v", "32",
    "--encoder-ffn-embed-dim", "64", "--max-epoch", "1", "--num-workers", "0", "--modalities", "text,audio", "--cpu",
]  # fmt: skip
TRACES = [
    "--max-epoch",
    "1",
    "--num-workers",
    "0",
    "--cpu",
    "--seq-length",
    "8",
    "--subseq-length",
    "2",
    "--embed-dim",
    "16",
]
SMALL = ["--encoder-layers", "1", "--max-epoch", "1", "--num-workers", "0", "--cpu"]
RECIPES = {
    "auxformer/crema_d.sh": SMALL,
    "auxformer/msp_improv.sh": SMALL,
    "jmt/aff_wild2.sh": TRACES,
    "jmt/biovid.sh": ["--max-epoch", "1", "--num-workers", "0", "--cpu", "--frame-rate", "5"],
    "jmt/pretraining.sh": ["audio", "logmel", *TRACES],
    "sse_ft/iemocap.sh": ["--labels", "emotion", *NARROW],
    "sse_ft/meld.sh": ["--labels", "emotion", *NARROW],
    "sse_ft/mosei.sh": ["--labels", "sentiment", *NARROW],
    "sse_ft/mosi.sh": ["--labels", "sentiment", *NARROW],
}
#: What a recipe reads from the environment in place of its own corpus' names.
ENVIRONMENT = {"jmt/biovid.sh": {"LABELS": "emotion", "MODALITIES": "video,audio"}}
SOURCED = {f"{folder}/recipe.sh" for folder in ("auxformer", "jmt", "sse_ft")}


def test_every_recipe_is_listed():
    scripts = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.sh")}
    assert scripts == set(RECIPES) | SOURCED


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_recipe_runs(recipe, toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "OUT": str(tmp_path / "run"),
        **ENVIRONMENT.get(recipe, {}),
    }
    done = subprocess.run(
        ["bash", str(EXAMPLES / recipe), str(tmp_path / "toy"), *RECIPES[recipe]],
        cwd=EXAMPLES.parent, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (tmp_path / "run" / "plot.png").stat().st_size > 10000
    if recipe == "jmt/pretraining.sh":
        assert (tmp_path / "run" / "checkpoint_best.pt").exists()
        return
    rows = (tmp_path / "run" / "test.tsv").read_text().splitlines()
    if recipe == "jmt/aff_wild2.sh":
        frames = (tmp_path / "run" / "traces" / "predictions.txt").read_text().splitlines()
        assert len(frames) == len(rows) > 80
    else:
        assert len(rows) == 9
