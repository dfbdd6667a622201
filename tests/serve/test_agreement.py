"""One model, the same clips, five ways to its numbers: they agree, for every system."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmer_fairseq import load
from mmer_fairseq.cli.main import main

pytestmark = pytest.mark.slow

NARROW = ["--frame-rate", "5", "--frame-size", "16"]
SYSTEMS = {
    "robertaEMO_small": [*NARROW, "--encoder-layers", "2"],
    "auxformer_small": [*NARROW, "--encoder-layers", "1"],
    "jmt_small": [*NARROW, "--embed-dim", "16", "--head-dim", "12", "--num-heads", "2"],
    "mme2e": ["--trans-dim", "16", "--trans-nlayers", "1", "--frame-rate", "2"],
    "mme2e_sparse": ["--trans-dim", "16", "--trans-nlayers", "1", "--frame-rate", "2"],
    "lf_rnn": [*NARROW, "--feature-dim", "8"],
    "lf_transformer": [*NARROW, "--feature-dim", "12"],
    "facialmmt_small": [*NARROW],
}
IMAGES = ["--video-encoder", "face_pixels", "--audio-encoder", "mel_pieces:log", "--frame-size", "48"]
WORDS = {"a.mp4": "the day is wonderful", "b.mp4": "no, that is unfair"}
ATOL = 1e-4


@pytest.fixture(scope="module")
def corpus(twelve: Path, films: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films with sound and words as the test split."""
    folder = tmp_path_factory.mktemp("agreement") / "corpus"
    folder.mkdir()
    for name in ("corpus.yaml", "tokenizer.model", "train.tsv", "valid.tsv"):
        shutil.copy(twelve / name, folder / name)
    header, first = (twelve / "test.tsv").read_text().splitlines()[:2]
    row = dict(zip(header.split("\t"), first.split("\t")))
    (folder / "media").mkdir()
    lines = [header]
    for (name, words), seconds in zip(WORDS.items(), (3, 5)):
        shutil.copy(films(f"agreement-{name}", seconds, texture=120), folder / "media" / name)
        path = f"media/{name}"
        lines.append("\t".join({**row, "id": name, "text": words, "audio": path, "video": path}.values()))
    (folder / "test.tsv").write_text("\n".join(lines) + "\n")
    return folder


def scores(file: Path, names: list[str], key: str = "id") -> dict[str, list[float]]:
    with open(file, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {row.get(key, ""): [float(row[f"score_{name}"]) for name in names] for row in rows}


@pytest.fixture(scope="module", params=SYSTEMS)
def model(request, written: Any, corpus: Path, command: Any, tmp_path_factory: pytest.TempPathFactory):
    """A checkpoint of each system, and what ``fairseq-validate --save-predictions`` says of the clips."""
    folder = tmp_path_factory.mktemp(request.param)
    images = IMAGES if request.param.startswith("mme2e") else []
    path = written(folder / "model.pt", "emotion", request.param, *SYSTEMS[request.param], *images)
    _sharpen(path)
    command([
        "fairseq-validate", corpus, "--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu",
        "--path", path, "--valid-subset", "test", "--batch-size", 2, "--num-workers", 0,
        "--save-predictions", folder / "test.tsv",
    ])  # fmt: skip
    predictor = load(path)
    validated = scores(folder / "test.tsv", list(predictor.labels.names))
    assert validated.keys() == WORDS.keys()
    assert np.abs(np.subtract(*validated.values())).max() > 50 * ATOL  # the model tells the clips apart
    return path, predictor, validated


def test_python_the_command_and_the_server(model: Any, corpus: Path, serving: Any, tmp_path: Path):
    path, predictor, validated = model
    names = list(predictor.labels.names)
    for name, words in WORDS.items():
        file = corpus / "media" / name
        said = words if "text" in predictor.streams else None
        (segment,) = predictor(file, whole=True, **({"text": said} if said else {}))
        _agree([segment.scores[each] for each in names], validated[name])
        out = tmp_path / f"out-{name}"
        flags = ["--text", said] if said else ["--whole"]
        assert main(["predict", "--path", str(path), str(file), "--out", str(out), *flags]) == 0
        _agree(*scores(out / "predictions.tsv", names, "file").values(), validated[name])
    with serving(predictor) as client:
        for name, words in WORDS.items():
            events = client.predict(client.take(corpus / "media" / name), text=words)
            (found,) = [event["segment"] for event in events if event["type"] == "segment"]
            _agree([found["scores"][each] for each in names], validated[name])


def test_onnx(model: Any, corpus: Path, tmp_path: Path):
    path, _, validated = model
    found = _exported(path, corpus, tmp_path / "onnx")
    assert found.keys() == validated.keys()
    for name, scored in found.items():
        _agree(scored, validated[name])


def _agree(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, atol=ATOL, rtol=0)


def _sharpen(path: Path) -> None:
    """Fresh weights say nearly the same of everything: a wider output layer, and biases that are not zero."""
    state = torch.load(path, weights_only=False)
    generator = torch.Generator().manual_seed(1)
    for name, weight in state["model"].items():
        if weight.is_floating_point() and "running" not in name and "num_batches" not in name:
            if weight.dim() == 1:
                weight += 0.2 * torch.randn(weight.shape, generator=generator)
            elif name.startswith("network."):
                weight *= 2
    torch.save(state, path)


def _exported(path: Path, corpus: Path, out: Path) -> dict[str, np.ndarray]:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    from mmer_fairseq.evaluation.trained import load_trained
    from mmer_fairseq.export import OnnxModel

    assert main(["export", "--path", str(path), "--out", str(out), "--no-check"]) == 0
    model = OnnxModel(out)
    given = load_trained(str(path), str(corpus), "test", flags={}, cpu=True)
    found = {}
    for batch in given.batches(2, 0):
        logits = torch.from_numpy(model(batch["net_input"]))
        for index, row in zip(batch["id"].tolist(), logits.softmax(dim=1).numpy()):
            found[given.dataset.clip_of(index).id] = row
    return found
