"""``mmer convert`` of the MME2E repository: what comes out is loaded by our models and computes the same."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fairseq.models import build_model
from omegaconf import OmegaConf
from torch.nn.utils.rnn import pad_sequence

from mmer_fairseq.cli.main import main
from mmer_fairseq.encoders.base import StreamSpec

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_mme2e.py"))
SIZES = {"dim": 8, "layers": 1, "heads": 4, "text": 12, "outputs": 3}


def convert(*words: object) -> int:
    return main(["convert", *map(str, words)])


def model_of(file: Path, **dims: int) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Our model with the file's weights; modalities without a width are raw."""
    content = torch.load(file, weights_only=True)
    flags = content["cfg"]["model"]
    form = {"audio": "samples", "video": "frames"}
    streams = {}
    for m in content["cfg"]["task"]["modalities"].split(","):
        encoder = content["cfg"]["task"][f"{m}_encoder"]
        raw = encoder in ("face_pixels", "mel_pieces")
        streams[m] = StreamSpec(
            m, form[m] if raw else "features", encoder if raw else "identity", dim=dims.get(m, 0)
        )
    task = SimpleNamespace(streams=streams, num_outputs=3)
    model = build_model(OmegaConf.create(flags), task).eval()
    model.load_state_dict(content["model"])
    return model, flags


def faces_and_pieces() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    return {
        "text": torch.randn(2, 12),
        "faces": torch.rand(3, 48, 48, 3) * 255,
        "specs": torch.rand(3, 1, 128, 32),
    }


@pytest.mark.parametrize("system", ["mme2e", "mesm"])
def test_end_to_end(tmp_path: Path, system: str, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(1)
    threshold = 0.6 if system == "mesm" else None
    theirs = PLAIN["PlainMME2E"](threshold=threshold, **SIZES).eval()
    state = theirs.state_dict()
    if threshold:  # the older layout of SparseConvNet
        state["V.sparse_layers.1.0.0.weight"] = state["V.sparse_layers.1.0.0.weight"][:, 0]
    state["mtcnn.pnet.conv1.weight"] = torch.zeros(1)
    state["T.albert.pooler.weight"] = torch.zeros(1)
    old, new = tmp_path / f"{system}_tav_imginvl500_st_0.6_seed0.pt", tmp_path / "new.pt"
    torch.save(state, old)
    assert convert("--from", system, old, new) == 0
    said = capsys.readouterr().out
    assert "2 tensors that nothing reads: T.albert.pooler.weight, mtcnn" in said
    model, flags = model_of(new, text=12)
    given = faces_and_pieces()
    with torch.no_grad():
        expected = theirs(given["text"], given["faces"], [2, 1], given["specs"], [1, 2])
        faces = (given["faces"] / 255).permute(0, 3, 1, 2)
        features, lengths = model.encoders(
            {"text": given["text"][:, None], "video": pad_sequence([faces[:2], faces[2:]], True)},
            {"text": torch.ones(2).long(), "video": torch.tensor([2, 1]), "audio": torch.tensor([0, 0])},
        )
        pieces = given["specs"].flatten(1)
        features["audio"] = pad_sequence([pieces[:1], pieces[1:]], True)
        lengths["audio"] = torch.tensor([1, 2])
        found = model.network(features, lengths)["logits"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    if threshold:
        assert (flags["sparse_threshold"], flags["original_behaviour"]) == (0.6, True)
        assert "--sparse-threshold 0.6, which the tensors do not tell" in said


@pytest.mark.parametrize("system", ["lf-rnn", "lf-transformer"])
def test_baselines(tmp_path: Path, system: str):
    torch.manual_seed(1)
    layers = 2 if system == "lf-transformer" else 0
    theirs = PLAIN["PlainLateFusion"](dims=(8, 6, 5), layers=layers, outputs=3).eval()
    torch.save(theirs.state_dict(), tmp_path / "old.pt")
    assert convert("--from", system, tmp_path / "old.pt", tmp_path / "new.pt") == 0
    model, flags = model_of(tmp_path / "new.pt", text=8, audio=6, video=5)
    assert flags["_name"] == system.replace("-", "_")
    text, audio, video = torch.randn(2, 4, 8), torch.randn(5, 6), torch.randn(7, 5)
    expected = theirs(text, audio, [2, 3], video, [4, 3])
    streams = {
        "text": text,
        "audio": pad_sequence(list(audio.split([2, 3])), True),
        "video": pad_sequence(list(video.split([4, 3])), True),
    }
    lengths = {"text": torch.tensor([4, 4]), "audio": torch.tensor([2, 3]), "video": torch.tensor([4, 3])}
    torch.testing.assert_close(model(streams, lengths)["logits"], expected, rtol=0, atol=1e-5)


def test_a_baseline_that_fuses_fewer_modalities_than_it_has_readers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.manual_seed(1)
    state = PLAIN["PlainLateFusion"](dims=(8, 6, 5), layers=0, outputs=3).state_dict()
    state["weighted_fusion.weight"] = state["weighted_fusion.weight"][:, :2]
    torch.save(state, tmp_path / "old.pt")
    assert convert("--from", "lf-rnn", tmp_path / "old.pt", tmp_path / "new.pt") != 0
    assert "--mod: expected 2 of the letters t, a, v: the file has" in capsys.readouterr().err
    assert convert("--from", "lf-rnn", "--mod", "ta", tmp_path / "old.pt", tmp_path / "new.pt") == 0
    model, _ = model_of(tmp_path / "new.pt", text=8, audio=6)
    assert sorted(model.network.state_dict()["fusion.weights.weight"].shape) == [1, 2]


@pytest.mark.parametrize(
    ("words", "told", "encoder"),
    [
        (
            ("--features", "audio=context"),
            "put there spiece.model of the published ALBERT of width 768",
            True,
        ),
        (("--features", "text=glove"), "put there spiece.model", False),
        (("--mod", "v"), "left out: its ALBERT, as it does not fuse text", False),
    ],
)
def test_whether_its_albert_is_the_text_encoder(
    tmp_path: Path, words: tuple[str, ...], told: str, encoder: bool, capsys: pytest.CaptureFixture[str]
):
    state = albert_state()
    if "--mod" in words:
        state["weighted_fusion.weight"] = state["weighted_fusion.weight"][:, :1]
    torch.save(state, tmp_path / "old.pt")
    assert convert("--from", "mme2e", *words, tmp_path / "old.pt", tmp_path / "new.pt") == 0
    assert told in capsys.readouterr().out
    task = torch.load(tmp_path / "new.pt", weights_only=True)["cfg"]["task"]
    assert str(task.get("text_encoder")).startswith("albert:") == encoder
    assert (tmp_path / "new.albert").exists() == ("--mod" not in words)


def albert_state() -> dict[str, torch.Tensor]:
    """An MME2E whose ALBERT has the width of a published one, and little else."""
    state = PLAIN["PlainMME2E"](**{**SIZES, "text": 768}).state_dict()
    albert = {
        "embeddings.word_embeddings.weight": torch.zeros(9, 4),
        "embeddings.position_embeddings.weight": torch.zeros(16, 4),
        "encoder.embedding_hidden_mapping_in.weight": torch.zeros(768, 4),
        "encoder.albert_layer_groups.0.albert_layers.0.ffn.weight": torch.zeros(24, 768),
    }
    return {**state, **{f"T.albert.{name}": x for name, x in albert.items()}}


def test_albert_becomes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.save(albert_state(), tmp_path / "old.pt")
    assert convert("--from", "mme2e", tmp_path / "old.pt", tmp_path / "new.pt") == 0
    folder = tmp_path / "new.albert"
    assert f"its ALBERT is in {folder}" in capsys.readouterr().out
    config = json.loads((folder / "config.json").read_text())
    assert (config["hidden_size"], config["vocab_size"], config["num_attention_heads"]) == (768, 9, 12)
    task = torch.load(tmp_path / "new.pt", weights_only=True)["cfg"]["task"]
    assert task["text_encoder"] == f"albert:{folder}"
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "mesm"), "expected a checkpoint of mesm; found one of mme2e. Name that in --from."),
        (("--from", "mme2e", "--mod", "tv"), "--mod: expected 3 of the letters t, a, v"),
        (("--from", "mme2e", "--sparse-threshold", "0.5"), "expected none of the flags of mesm"),
        (("--from", "lf-rnn", "--heads", "2"), "found --heads"),
    ],
)
def test_errors(tmp_path: Path, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]):
    torch.save(PLAIN["PlainMME2E"](**SIZES).state_dict(), tmp_path / "old.pt")
    assert convert(*words, tmp_path / "old.pt", tmp_path / "new.pt") != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new.pt").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"best_epoch": 3}, "found other things, best_epoch"),
        ({"x": torch.zeros(2, 2)}, "with a matrix weighted_fusion.weight; found 1 tensors without it"),
        ({"x": torch.tensor([float("nan")])}, "found NaN or infinity in x"),
    ],
)
def test_other_files(
    tmp_path: Path, content: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
):
    torch.save(content, tmp_path / "old.pt")
    assert convert("--from", "mme2e", tmp_path / "old.pt", tmp_path / "new.pt") != 0
    assert message in capsys.readouterr().err
