"""``mmer export`` of a checkpoint that fairseq-train made, against ``fairseq-validate --save-predictions``."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.cli.main import main

PLUGIN = [
    "--user-dir",
    "mmer_fairseq",
    "--task",
    "emotion_prediction",
    "--cpu",
    "--no-progress-bar",
    "--num-workers",
    0,
]


@pytest.fixture(scope="module")
def trained(twelve: Path, command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of raw text and sound."""
    run = tmp_path_factory.mktemp("trained")
    command([
        "fairseq-train", twelve, *PLUGIN, "--arch", "lf_transformer", "--feature-dim", 12, "--modalities", "text,audio",
        "--criterion", "emotion_prediction_cri", "--optimizer", "adam", "--lr", "1e-2", "--batch-size", 3,
        "--max-epoch", 2, "--no-epoch-checkpoints", "--save-dir", run,
    ])  # fmt: skip
    return run / "checkpoint_last.pt"


@pytest.mark.slow
def test_same_predictions_as_validate(trained: Path, twelve: Path, command, tmp_path: Path, capsys):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from mmer_fairseq.evaluation.trained import load_trained
    from mmer_fairseq.export import OnnxModel

    assert main(["export", "--path", str(trained), "--out", str(tmp_path / "out")]) == 0
    assert "onnx, text, audio; largest difference of a logit " in capsys.readouterr().out
    command([
        "fairseq-validate", twelve, *PLUGIN, "--path", trained, "--valid-subset", "test", "--batch-size", 2,
        "--save-predictions", tmp_path / "test.tsv",
    ])  # fmt: skip
    with open(tmp_path / "test.tsv", encoding="utf-8") as lines:
        rows = {row["id"]: row for row in csv.DictReader(lines, delimiter="\t")}
    model = OnnxModel(tmp_path / "out")
    names = model.facts["labels"]["names"]
    given = load_trained(str(trained), str(twelve), "test", flags={}, cpu=True)
    compared = 0
    for batch in given.batches(3, 0):
        logits = model(batch["net_input"])
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        for index, own in zip(batch["id"].tolist(), scores):
            row = rows[given.dataset.clip_of(index).id]
            np.testing.assert_allclose(own, [float(row[f"score_{name}"]) for name in names], atol=1e-4)
            compared += 1
    assert compared == len(rows) == 3
    facts = json.loads((tmp_path / "out" / "model.json").read_text())
    assert facts["architecture"] == "lf_transformer"
    assert facts["inputs"]["audio"]["rate"] == 16000
    assert len(facts["checkpoint"]["sha256"]) == 64
    tokenizer = facts["reading"]["text"]["tokenizer"]
    assert tokenizer == {"kind": "sentencepiece", "files": ["tokenizer.model"]}
    assert (tmp_path / "out" / "tokenizer.model").read_bytes() == (twelve / "tokenizer.model").read_bytes()


def test_no_checkpoint(tmp_path: Path, capsys):
    assert main(["export", "--path", str(tmp_path / "no.pt"), "--out", str(tmp_path)]) == 2
    assert str(tmp_path / "no.pt") in capsys.readouterr().err
