"""Every recipe in ``examples/`` runs: one epoch of a narrow network on the toy corpus."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from mmer_fairseq.corpus import Corpus, register_features
from mmer_fairseq.features.store import write_store

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
ONE_EPOCH = ["--max-epoch", "1", "--num-workers", "0", "--cpu"]
END_TO_END = ["--frame-rate", "1", "--trans-dim", "16", "--trans-nlayers", "1", *ONE_EPOCH]
IN_DIALOGUES = ["--frame-rate", "2", "--encoder-embed-dim", "16", "--encoder-ffn-embed-dim", "24", *ONE_EPOCH]
SMALL = ["--encoder-layers", "1", "--max-epoch", "1", "--num-workers", "0", "--cpu"]
RECIPES = {
    "auxformer/crema_d.sh": SMALL,
    "auxformer/msp_improv.sh": SMALL,
    "facialmmt/bert.sh": [*IN_DIALOGUES, "--text-layer-decay", "0.9"],
    "facialmmt/roberta.sh": [*IN_DIALOGUES, "--aux-batch-size", "4"],
    "facialmmt/swin.sh": [*IN_DIALOGUES, "--batch-size", "8", "--aux-batch-size", "4"],
    "facialmmt/vision.sh": IN_DIALOGUES,
    "jmt/aff_wild2.sh": TRACES,
    "jmt/biovid.sh": ["--max-epoch", "1", "--num-workers", "0", "--cpu", "--frame-rate", "5"],
    "jmt/pretraining.sh": ["audio", "logmel", *TRACES],
    "mme2e/lf_rnn.sh": ONE_EPOCH,
    "mme2e/lf_transformer.sh": ONE_EPOCH,
    "mme2e/mesm.sh": END_TO_END,
    "mme2e/mme2e.sh": END_TO_END,
    "mme2e/toy.sh": END_TO_END,
    "sse_ft/iemocap.sh": ["--labels", "emotion", *NARROW],
    "sse_ft/meld.sh": ["--labels", "emotion", *NARROW],
    "sse_ft/mosei.sh": ["--labels", "sentiment", *NARROW],
    "sse_ft/mosi.sh": ["--labels", "sentiment", *NARROW],
}
#: What a recipe reads from the environment in place of its own corpus' names.
ENVIRONMENT = {
    "facialmmt/bert.sh": {"UPDATES": "3", "FEATURES": "audio=stored"},
    "facialmmt/roberta.sh": {"UPDATES": "3", "FACES": "{corpus}"},
    "facialmmt/swin.sh": {"LABELS": "emotion"},
    "facialmmt/vision.sh": {"UPDATES": "3"},
    "jmt/biovid.sh": {"LABELS": "emotion", "MODALITIES": "video,audio"},
    "mme2e/lf_transformer.sh": {"FEATURES": "audio=stored,text=stored_text"},
    "mme2e/toy.sh": {"FIRST": "1", "SECOND": "1"},
}
SOURCED = {f"{folder}/recipe.sh" for folder in ("auxformer", "facialmmt", "jmt", "mme2e", "sse_ft")}
#: The yes/no labels of the corpora that a recipe is for, by the name that their importers give the label space.
EMOTIONS = {
    "emotions6": ("angry", "excited", "frustrated", "happy", "neutral", "sad"),
    "emotions": ("anger", "disgust", "fear", "happy", "sad", "surprise"),
}
LIKE = {
    "mme2e/lf_rnn.sh": ("emotions", "CMU-MOSEI"),
    "mme2e/lf_transformer.sh": ("emotions6", "IEMOCAP"),
    "mme2e/mesm.sh": ("emotions", "CMU-MOSEI"),
    "mme2e/mme2e.sh": ("emotions6", "IEMOCAP"),
}


def six_emotions(corpus: Path, space: str) -> None:
    """Name the toy corpus' yes/no labels as IEMOCAP's or CMU-MOSEI's; the last two are the first two again."""
    description = yaml.safe_load((corpus / "corpus.yaml").read_text())
    toys = description["labels"].pop("emotions")["columns"]
    description["labels"][space] = {"kind": "multilabel", "columns": list(EMOTIONS[space])}
    (corpus / "corpus.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
    for table in corpus.glob("*.tsv"):
        rows = list(csv.DictReader(table.read_text().splitlines(), delimiter="\t"))
        for row in rows:
            held = [row.pop(column) for column in toys]
            row.update(zip(EMOTIONS[space], held + held[:2]))
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter="\t", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def features(corpus: Path) -> None:
    """Stores of random vectors, of text and sound, as a user would have written them."""
    random = np.random.default_rng(0)
    loaded = Corpus.load(corpus)
    clips = [clip.id for split in loaded.splits for clip in loaded.clips(split)]
    for name, modality, width in (("stored", "audio", 6), ("stored_text", "text", 8)):
        vectors = ((clip, random.normal(size=(5, width)).astype("f4")) for clip in clips)
        write_store(corpus / "features" / name, vectors, modality=modality, rate=0.0)
        register_features(corpus, name=name, path=corpus / "features" / name, modality=modality)


def test_every_recipe_is_listed():
    scripts = {
        str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("*/*.sh") if path.parent.name != "cluster"
    }
    assert scripts == set(RECIPES) | SOURCED


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_recipe_runs(recipe, toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    space, corpus = LIKE.get(recipe, ("", ""))
    if space:
        six_emotions(tmp_path / "toy", space)
    if "FEATURES" in ENVIRONMENT.get(recipe, {}):
        features(tmp_path / "toy")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "OUT": str(tmp_path / "run"),
        **{k: v.format(corpus=tmp_path / "toy") for k, v in ENVIRONMENT.get(recipe, {}).items()},
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
    if space:
        name = Path(recipe).stem
        table = done.stdout[done.stdout.index("== report") :].splitlines()[1:]
        assert table[0].startswith(f"{corpus}: ")
        assert table[2].split()[0] == name
        assert len(table[2].split()) == 1 + 6 + 1  # its name, the emotions, their mean
    rows = (tmp_path / "run" / "test.tsv").read_text().splitlines()
    if recipe == "jmt/aff_wild2.sh":
        frames = (tmp_path / "run" / "traces" / "predictions.txt").read_text().splitlines()
        assert len(frames) == len(rows) > 80
    else:
        assert len(rows) == 9
