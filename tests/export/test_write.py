"""Files of an exported model, run by onnxruntime and torch."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.models import build_model
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.export import OnnxModel, export, write

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)
mmer_fairseq.register()

SPECS = {
    "text": StreamSpec("text", "tokens", vocab_size=20),
    "audio": StreamSpec("audio", "features", encoder="identity", dim=6, rate=5.0),
}


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    task = SimpleNamespace(streams=SPECS, num_outputs=3)
    flags = {"_name": "lf_transformer", "feature_dim": 6, "trans_nlayers": 1}
    return build_model(OmegaConf.create(flags), task).eval()


@pytest.fixture(scope="module")
def folder(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported")
    found = export(
        model, SPECS, out, kind="both", facts={"labels": {"names": ["a", "b", "c"]}}, files={"t.model": b"x"}
    )
    assert found["difference"] < 1e-5
    return out


def batch(*counts: tuple[int, int]) -> dict[str, dict[str, torch.Tensor]]:
    text, audio = (torch.tensor(n) for n in zip(*counts))
    generator = torch.Generator().manual_seed(len(counts))
    tokens = torch.randint(2, 20, (len(counts), max(int(text.max()), 1)), generator=generator)
    sound = torch.randn(len(counts), max(int(audio.max()), 1), 6, generator=generator)
    return {"streams": {"text": tokens, "audio": sound}, "lengths": {"text": text, "audio": audio}}


@pytest.mark.parametrize(
    "counts", [[(3, 4)], [(0, 0)], [(1, 1), (0, 9)], [(30, 2), (7, 0), (2, 40), (1, 1), (5, 5)]]
)
def test_same_numbers(model: torch.nn.Module, folder: Path, counts: list[tuple[int, int]]):
    given = batch(*counts)
    with torch.no_grad():
        expected = model(**given)["logits"]
    found = OnnxModel(folder)(given)
    assert found.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-5)
    program = torch.export.load(folder / "model.pt2").module()
    if len(counts) > 1:
        torch.testing.assert_close(program(**given), expected, rtol=0, atol=1e-5)


def test_a_modality_that_is_not_given_is_missing(model: torch.nn.Module, folder: Path):
    given = batch((4, 0), (2, 0))
    part = {"streams": {"text": given["streams"]["text"]}, "lengths": {"text": given["lengths"]["text"]}}
    runner = OnnxModel(folder / "model.onnx")
    np.testing.assert_array_equal(runner(part), runner(given))


def test_what_is_written(folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.json",
        "model.onnx",
        "model.pt2",
        "t.model",
    ]
    facts = json.loads((folder / "model.json").read_text())
    assert facts["inputs"]["audio"]["shape"] == ["batch", "audio_steps", 6]
    assert facts["inputs"]["text"] == {
        "form": "tokens", "shape": ["batch", "text_steps"], "dtype": "int64", "rate": 0.0, "chunk": 0,
        "max_steps": 0, "vocab_size": 20, "encoder": "",
    }  # fmt: skip
    assert (facts["labels"]["names"], facts["modalities"]) == (["a", "b", "c"], ["text", "audio"])
    assert facts["opset"] >= 18
    assert facts["difference"] < 1e-5


def test_wrong_inputs(folder: Path):
    runner = OnnxModel(folder)
    given = batch((4, 2))
    wide = {**given, "streams": {**given["streams"], "audio": torch.zeros(1, 2, 7)}}
    with pytest.raises(InputError) as error:
        runner(wide)
    assert str(error.value) == (
        "stream 'audio': expected shape 1 × steps × 6; found 1 × 2 × 7. "
        "Prepare it as the model's .json says (features)."
    )
    given["lengths"]["text"] = torch.tensor([5])
    with pytest.raises(InputError) as error:
        runner(given)
    assert str(error.value) == (
        "stream 'text': expected clips of at most 4 steps; found 5. Cut the clips, or give the whole stream."
    )
    with pytest.raises(InputError) as error:
        runner({"streams": {}, "lengths": {"video": torch.ones(1)}})
    assert str(error.value) == (
        "batch: expected one of text, audio; found video. Give the streams that the model was trained on."
    )


def test_no_model_there(tmp_path: Path):
    with pytest.raises(InputError) as error:
        OnnxModel(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: expected a folder or file of mmer export, and the .json beside it; found no model.onnx there. "
        "Write it with mmer export --path CKPT --out FOLDER."
    )


def test_other_numbers_are_not_written(
    model: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    right = write.reference
    monkeypatch.setattr(write, "reference", lambda *given: right(*given) + 2e-4)
    with pytest.raises(InputError) as error:
        export(model, SPECS, tmp_path / "new", kind="torch-export")
    message = str(error.value)
    assert message.startswith(
        "--path, checked as .pt2: expected the checkpoint's logits to 0.0001; found a difference of 0.0002 for "
        "clips of "
    )
    assert message.endswith(
        " steps; nothing was written. Report this as a fault of mmer export, with the architecture and its flags."
    )
    assert not (tmp_path / "new").exists()


def test_file_and_format_disagree(model: torch.nn.Module, tmp_path: Path):
    with pytest.raises(InputError) as error:
        export(model, SPECS, tmp_path / "x.pt2", kind="onnx")
    assert str(error.value) == (
        "--out: expected .onnx, as --format says; found x.pt2. Name a folder, or change --format."
    )


def test_package_that_is_missing(model: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(InputError) as error:
        export(model, SPECS, tmp_path)
    assert str(error.value).startswith("ONNX: expected the package onnxscript; found ")
    assert str(error.value).endswith(". Install it: pip install 'mmer_fairseq[export]'.")


def test_folder_that_cannot_be_made(model: torch.nn.Module, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        export(model, SPECS, tmp_path / "file", kind="torch-export", check=False)
    assert str(error.value) == (
        f"--out: expected a folder that can be written to; found {tmp_path / 'file'}: File exists. Name another one."
    )
