"""``mmer convert --from auxformer``: fairseq then computes what the original does, and no pickle is run."""

from __future__ import annotations

import csv
import os
import pickle
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmer_fairseq.cli.main import main
from mmer_fairseq.corpus.importers.arrays import Labels, import_arrays

PLAIN = Path(__file__).parents[1] / "benchmarks" / "plain_auxformer.py"
PlainAuxFormer = runpy.run_path(str(PLAIN))["PlainAuxFormer"]
NAMES = ("angry", "sad", "disgust", "fear", "neutral", "happy")
SIZES = {"audio_dim": 14, "video_dim": 12, "dim": 12, "heads": 4, "layers": 2}


def plain() -> torch.nn.Module:
    torch.manual_seed(3)
    return PlainAuxFormer(**SIZES).eval()


def convert(*words: object) -> int:
    return main(["convert", "--from", "auxformer", *map(str, words)])


def statistics(path: Path, width: int = 12, dtype: type = np.float32) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    values = [
        dtype(0.01),
        dtype(0.2),
        rng.normal(3, 1, width).astype(dtype),
        rng.uniform(1, 9, width).astype(dtype),
    ]
    path.write_bytes(pickle.dumps(tuple(values)))
    return values


@pytest.mark.slow
def test_fairseq_scores_like_the_original(tmp_path: Path, command):
    theirs = plain()
    torch.save(theirs.state_dict(), tmp_path / "final_head.pt")
    _, _, mean, deviation = statistics(tmp_path / "train_norm_stat.pkl")
    rng = np.random.default_rng(0)
    audio = [rng.normal(size=(9, 14)).astype("f4") for _ in range(4)]
    video = [rng.normal(3, 8, size=(6, 12)).astype("f4") for _ in range(4)]
    import_arrays(
        tmp_path / "corpus",
        ids=["c0", "c1", "c2", "c3"],
        labels=Labels(values=[0, 5, 2, 1], kind="classes", name="emotion", names=NAMES),
        splits=["train", "train", "valid", "test"],
        features={"wav2vec2": ("audio", audio), "emoca": ("video", video)},
    )
    assert convert(tmp_path / "final_head.pt", tmp_path / "new.pt", "--heads", 4) == 0
    with torch.no_grad():
        normal = (torch.from_numpy(video[3]) - torch.from_numpy(mean)) / (torch.from_numpy(deviation) + 1e-6)
        expected = torch.stack(theirs(torch.from_numpy(audio[3])[None], normal[None])).mean(0).softmax(1)[0]
    command([
        "fairseq-validate", tmp_path / "corpus", "--user-dir", "mmer_fairseq", "--task", "emotion_prediction", "--cpu",
        "--path", tmp_path / "new.pt", "--valid-subset", "test", "--batch-size", 4,
        "--features", "audio=wav2vec2,video=emoca", "--save-predictions", tmp_path / "scores.tsv",
    ])  # fmt: skip
    with open(tmp_path / "scores.tsv", encoding="utf-8") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    found = [float(value) for name, value in row.items() if name.startswith(("score", "p_", "prob"))]
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


def repository() -> dict[str, types.ModuleType]:
    """The original's modules, as far as a pickle names them."""
    models = types.ModuleType("src.models")
    models.AUXFORMER = type("AUXFORMER", (PlainAuxFormer,), {"__module__": "src.models"})
    transformer = types.ModuleType("modules.transformer")
    parents = {name: types.ModuleType(name) for name in ("src", "modules")}
    return {**parents, "src.models": models, "modules.transformer": transformer}


def test_a_pickled_model_is_read_without_its_classes(
    tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture
):
    modules = repository()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    torch.manual_seed(3)
    whole = modules["src.models"].AUXFORMER(**SIZES)
    for name, part in whole.named_modules():
        if type(part).__name__ in ("PlainEncoder", "PlainLayer"):
            own = {"PlainEncoder": "TransformerEncoder", "PlainLayer": "TransformerEncoderLayer"}[
                type(part).__name__
            ]
            known = vars(modules["modules.transformer"])
            if own not in known:
                known[own] = type(own, (type(part),), {"__module__": "modules.transformer"})
            part.__class__ = known[own]
        assert name is not None
    torch.save(whole, tmp_path / "model.pth")
    torch.save(torch.nn.DataParallel(whole), tmp_path / "parallel.pth")
    torch.save(whole.state_dict(), tmp_path / "state.pt")
    for name in modules:
        monkeypatch.delitem(sys.modules, name)
    for file in ("model.pth", "parallel.pth", "state.pt"):
        assert convert(tmp_path / file, tmp_path / f"new_{file}", "--heads", 4) == 0
    assert "audio 14, video 12 wide; 2 layers of width 12, 4 heads, 6 outputs" in capsys.readouterr().out
    states = [
        torch.load(tmp_path / f"new_{file}", weights_only=True)["model"]
        for file in ("model.pth", "parallel.pth", "state.pt")
    ]
    for state in states[:2]:
        assert state.keys() == states[2].keys()
        assert all(torch.equal(state[name], states[2][name]) for name in state)


class Runs:
    """Loading it would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("it-ran",)


def faults(tmp_path: Path) -> dict[str, tuple[list[object], str]]:
    """What is wrong → command line, message."""
    good = tmp_path / "good.pt"
    torch.save(plain().state_dict(), good)
    state = plain().state_dict()
    torch.save({**state, "head": Runs()}, tmp_path / "runs.pt")
    torch.save({name: x for name, x in state.items() if name != "proj1.weight"}, tmp_path / "lacks.pt")
    torch.save({**state, "text.weight": torch.zeros(2, 2)}, tmp_path / "more.pt")
    torch.save({**state, "out_layer.bias": torch.full((6,), float("nan"))}, tmp_path / "nan.pt")
    (tmp_path / "cut.pt").write_bytes(good.read_bytes()[:5000])
    (tmp_path / "runs.pkl").write_bytes(pickle.dumps((Runs(), 1)))
    (tmp_path / "cut.pkl").write_bytes(pickle.dumps(tuple(statistics(tmp_path / "s.pkl")))[:60])
    (tmp_path / "words.pkl").write_bytes(pickle.dumps({"a": "b"}))
    statistics(tmp_path / "narrow.pkl", 7)
    what = "expected AuxFormer's train_norm_stat.pkl: mean and deviation of the sound, then 12 of each of the picture"
    return {
        "a class": ([tmp_path / "runs.pt"], "found an object of the class 'posix.mkdir', which loading would have to"),
        "a tensor too few": ([tmp_path / "lacks.pt"], "with a matrix proj1.weight; found "),
        "a tensor too many": ([tmp_path / "more.pt"], "found 1 unknown (text.weight). Name a checkpoint of the"),
        "nan": ([tmp_path / "nan.pt"], "nan.pt: expected finite weights; found NaN or infinity in out_layer.bias."),
        "cut": ([tmp_path / "cut.pt"], "found a torch file that is cut off or damaged"),
        "no file": ([tmp_path / "none.pt"], "none.pt: expected an AuxFormer checkpoint (final_head.pt of v2, or"),
        "heads": ([good, "--heads", 5], "--heads: expected a number that divides the file's width of 12; found 5."),
        "another's flag": ([good, "--keep-encoders"], "--from auxformer: expected none of the flags of sse-ft; found"),
        "statistics with a class": (
            [good, "--heads", 4, "--statistics", tmp_path / "runs.pkl"],
            f"runs.pkl: {what}; found an object of the class 'posix.mkdir', which loading would have to run.",
        ),
        "statistics cut": ([good, "--heads", 4, "--statistics", tmp_path / "cut.pkl"], f"cut.pkl: {what}; found "),
        "statistics of words": ([good, "--heads", 4, "--statistics", tmp_path / "words.pkl"], "found a saved dict"),
        "no statistics": ([good, "--heads", 4, "--statistics", tmp_path / "no.pkl"], "no.pkl: expected AuxFormer's"),
        "other statistics": (
            [good, "--heads", 4, "--statistics", tmp_path / "narrow.pkl"],
            "found arrays of 1, 1, 7, 7 numbers, or NaN.",
        ),
    }  # fmt: skip


def test_wrong_files_are_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, (words, message) in faults(tmp_path).items():
        assert convert(words[0], tmp_path / "new.pt", *words[1:]) == 2, name
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error, (name, error)  # noqa: PT018
        assert "Traceback" not in error
        assert not (tmp_path / "new.pt").exists()
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_of_any_pickle_protocol(tmp_path: Path, protocol: int, dtype: type):
    torch.save(plain().state_dict(), tmp_path / "final_head.pt")
    values = statistics(tmp_path / "train_norm_stat.pkl", dtype=dtype)
    (tmp_path / "train_norm_stat.pkl").write_bytes(pickle.dumps(tuple(values), protocol))
    assert convert(tmp_path / "final_head.pt", tmp_path / "new.pt", "--heads", 4) == 0
    state = torch.load(tmp_path / "new.pt", weights_only=True)["model"]
    np.testing.assert_allclose(state["encoders.encoder.video.mean"].numpy(), values[2], rtol=1e-6)
    np.testing.assert_allclose(
        state["encoders.encoder.video.scale"].numpy(), 1 / (values[3] + 1e-6), rtol=1e-5
    )
    assert state["encoders.encoder.video.limit"] == float("inf")
