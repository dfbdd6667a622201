"""What ``mmer convert --from facialmmt`` reads: both files of a release, and files that do not belong together."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fairseq.models import build_model
from omegaconf import OmegaConf
from torch import Tensor

import mmer_fairseq
from mmer_fairseq.cli._convert_facialmmt import read
from mmer_fairseq.cli.main import main
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.swin_face import SwinFace
from mmer_fairseq.networks.facialmmt import FacialMMT

mmer_fairseq.register()

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))


def language_model(width: int) -> dict[str, Tensor]:
    shapes = {
        "embeddings.word_embeddings.weight": (30, width),
        "embeddings.position_embeddings.weight": (20, width),
        "embeddings.token_type_embeddings.weight": (1, width),
        "encoder.layer.0.intermediate.dense.weight": (40, width),
    }
    return {f"roberta.{name}": torch.randn(shape) for name, shape in shapes.items()}


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save(state, path, pickle_protocol=4)
    return path


def multimodal(path: Path, width: int = 64) -> tuple[torch.nn.Module, Path]:
    torch.manual_seed(0)
    plain = PLAIN["PlainFacialMMT"](
        widths=(64, 6, 9),
        dim=12,
        heads=2,
        inside=10,
        audio_layers=1,
        crossing_layers=1,
        steps=(38, 8, 9),
        outputs=3,
    ).eval()
    return plain, saved(path, {**plain.state_dict(), **language_model(width)})


def face_model() -> torch.nn.Module:
    return PLAIN["PlainSwinFace"](
        size=16, patch=2, dim=6, depths=(1, 2), heads=(1, 2), window=4, face=10, hidden=5, outputs=3
    ).eval()


def test_the_pair_of_a_release(tmp_path: Path):
    theirs, old = multimodal(tmp_path / "multimodal.pt")
    face = face_model()
    found = read(old, saved(tmp_path / "best_swin.pt", face.state_dict()), heads=2)
    network = FacialMMT(heads=2, ta_heads=2, tav_heads=2, original_behaviour=True, **found.arguments).eval()
    network.load_state_dict(found.network)
    streams = {"text": torch.randn(2, 4, 64), "audio": torch.randn(2, 8, 6), "video": torch.randn(2, 5, 9)}
    lengths = {m: torch.tensor([x.shape[1], 2]) for m, x in streams.items()}
    streams["text"][1, 2:] = 0
    expected = theirs(list(streams.values()), list(lengths.values()))
    torch.testing.assert_close(network(streams, lengths)["logits"], expected, rtol=0, atol=1e-5)
    swin = SwinFace(**found.face_arguments).eval()
    swin.load_state_dict(found.face)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(swin(images), face(images)[1], rtol=0, atol=1e-5)
    assert found.language == "roberta"
    assert found.settings["hidden_size"] == 64
    assert "embeddings.word_embeddings.weight" in found.words
    assert found.flags == {
        "encoder_embed_dim": 12, "encoder_ffn_embed_dim": 10, "audio_layers": 1, "video_layers": 2, "ta_layers": 1,
        "tav_layers": 1, "max_audio_steps": 8, "max_video_steps": 9,
    }  # fmt: skip


def test_picture_alone(tmp_path: Path):
    plain = PLAIN["PlainUnimodal"](width=7, dim=12, heads=2, inside=10, steps=9, outputs=3)
    old = saved(tmp_path / "unimodal_model_V.pt", plain.state_dict())
    found = read(old, None, heads=3)
    assert found.arguments["dims"] == {"video": 7}
    assert (found.language, found.face) == ("", {})
    swin = saved(tmp_path / "swin.pt", face_model().state_dict())
    with pytest.raises(InputError, match=r"--swin .*swin.pt: .*found a model of picture alone to go with it"):
        read(old, swin, heads=3)


def test_files_that_do_not_belong_together(tmp_path: Path):
    _, old = multimodal(tmp_path / "multimodal.pt")
    with pytest.raises(
        InputError, match=r"--heads: expected a number that divides the file's width of 12; found 5"
    ):
        read(old, None, heads=5)
    backbone: dict[str, Any] = {
        name.replace("swin.", "backbone.", 1): x
        for name, x in face_model().state_dict().items()
        if name.startswith("swin.")
    }
    with pytest.raises(InputError, match=r"expected the face model of a multimodal .*found one without them"):
        read(old, saved(tmp_path / "facex_zoo.pt", {"state_dict": backbone}), heads=2)
    with pytest.raises(
        InputError, match=r"expected a face model of FacialMMT.*with a matrix swin.patch_embed"
    ):
        read(old, old, heads=2)
    _, other = multimodal(tmp_path / "other.pt", width=128)
    with pytest.raises(InputError, match=r"expected a language model of width 64, which .*found width 128"):
        read(other, None, heads=2)


def converted(*words: object) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The model that the command's file makes, from stored features, and its configuration."""
    assert main(["convert", "--from", "facialmmt", *map(str, words)]) == 0
    content = torch.load(words[1], weights_only=True)  # type: ignore[call-overload]
    widths = {"text": 64, "audio": 6, "video": 9}
    modalities = content["cfg"]["task"]["modalities"].split(",")
    streams = {m: StreamSpec(m, "features", "identity", dim=widths[m]) for m in modalities}
    model = build_model(
        OmegaConf.create(content["cfg"]["model"]), SimpleNamespace(streams=streams, num_outputs=3)
    )
    model.load_state_dict(content["model"])
    return model.eval(), content["cfg"]


def test_the_command_makes_a_checkpoint_and_its_encoders(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    theirs, old = multimodal(tmp_path / "multimodal.pt")
    swin = saved(tmp_path / "best_swin.pt", face_model().state_dict())
    model, cfg = converted(old, tmp_path / "new.pt", "--heads", 2, "--swin", swin, "--facenet", "facenet.pt")
    assert cfg["task"]["text_encoder"] == f"roberta:{tmp_path / 'new.roberta'}"
    assert cfg["task"]["video_encoder"] == f"swin_face:{tmp_path / 'new.swin.pt'}+facenet.pt"
    assert (tmp_path / "new.roberta" / "config.json").is_file()
    assert model.emotions == 7
    said = capsys.readouterr().out
    assert "its language model is in" in said
    assert f"its face model is in {tmp_path / 'new.swin.pt'}" in said
    # a frame: two features, then logits, of which the network gets the distribution
    streams = {"text": torch.randn(2, 4, 64), "audio": torch.randn(2, 8, 6), "video": torch.randn(2, 5, 9)}
    lengths = {m: torch.tensor([x.shape[1]] * 2) for m, x in streams.items()}
    model.filter.threshold = 0.0
    shown = streams["video"].clone()
    shown[..., 2:] = shown[..., 2:].softmax(dim=-1)
    expected = theirs([streams["text"], streams["audio"], shown], list(lengths.values()))
    torch.testing.assert_close(model(streams, lengths)["logits"], expected, rtol=0, atol=1e-5)


def test_the_command_on_a_model_of_picture_alone(tmp_path: Path):
    theirs = PLAIN["PlainUnimodal"](width=9, dim=12, heads=2, inside=10, steps=9, outputs=3).eval()
    old = saved(tmp_path / "unimodal_model_V.pt", theirs.state_dict())
    model, cfg = converted(old, tmp_path / "new.pt", "--heads", 2)
    assert (cfg["model"]["frame_emotions"], cfg["task"]["video_encoder"]) == (0, "identity")
    x, lengths = torch.randn(2, 9, 9), torch.tensor([9, 9])
    torch.testing.assert_close(
        model({"video": x}, {"video": lengths})["logits"], theirs(x, lengths), rtol=0, atol=1e-5
    )
