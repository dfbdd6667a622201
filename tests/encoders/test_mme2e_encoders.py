"""What MME2E reads: pieces of mel spectrograms, pixels of faces, ALBERT."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.face_pixels import FacePixels
from mmer_fairseq.encoders.logmel import mel_filters
from mmer_fairseq.encoders.mel_pieces import MelPieces
from mmer_fairseq.encoders.registry import build_encoder
from mmer_fairseq.errors import InputError

SETTINGS = {
    "model_type": "albert",
    "vocab_size": 30,
    "embedding_size": 8,
    "hidden_size": 12,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 10,
}


def test_mel_pieces_of_each_clip_alone():
    torch.manual_seed(0)
    lengths = torch.tensor([13000, 6399, 0, 6400, 7])
    x = torch.randn(5, 13000)  # padding is no silence, either
    y, counts = MelPieces()(x, lengths)
    assert counts.tolist() == [3, 1, 0, 2, 1]
    assert tuple(y.shape) == (5, 3, 4096)
    filters = mel_filters(128, 400, 16000, low=0.0)
    for clip in (0, 1, 3):
        wave = x[clip, : lengths[clip]]
        spectrum = torch.stft(wave, 400, 200, window=torch.hann_window(400), return_complex=True)
        mel = filters.T @ spectrum.abs().square()  # [128, 1 + n // 200]
        mel = F.pad(mel, (0, -mel.shape[1] % 32))
        expected = mel.unflatten(1, (-1, 32)).transpose(0, 1).flatten(1)
        torch.testing.assert_close(y[clip, : len(expected)], expected, rtol=1e-3, atol=1e-3)
        assert not y[clip, len(expected) :].any()


def test_log_mel_pieces():
    y, _ = MelPieces("log")(0.1 * torch.randn(1, 12800), torch.tensor([12800]))
    assert 0.2 < float(y[0, 0].std()) < 1.5
    assert not y[0, -1].view(128, 32)[:, 1:].any()  # filled up with zeros
    with pytest.raises(InputError, match="encoder 'mel_pieces': expected one of power, log; found 'db'"):
        MelPieces("db")


def test_mel_pieces_in_half_precision_are_finite():
    y, _ = MelPieces()(torch.ones(1, 6400).half(), torch.tensor([6400]))
    assert y.dtype == torch.float16
    assert y.isfinite().all()


def test_face_pixels():
    frames = torch.full((2, 3, 3, 48, 48), 159, dtype=torch.uint8)
    y, lengths = FacePixels()(frames, torch.tensor([3, 1]))
    assert lengths.tolist() == [3, 1]
    channels = y.view(2, 3, 3, 48, 48)
    expected = torch.tensor([0.0, 48 / 33, 57 / 32])
    torch.testing.assert_close(channels[0, 2].mean(dim=(1, 2)), expected, rtol=0, atol=1e-5)
    assert not channels[1, 1:].any()
    torch.testing.assert_close(FacePixels()(frames / 255.0, lengths)[0], y, rtol=0, atol=1e-4)
    with pytest.raises(
        InputError, match=r"frames of 48×48 pixels; found a stream of shape .*Set --frame-size"
    ):
        FacePixels()(frames[..., :40], lengths)
    with pytest.raises(InputError, match="encoder 'face_pixels': expected one of mme2e; found 'x'"):
        FacePixels("x")


def test_both_are_frozen_and_checked_by_the_registry():
    encoder = build_encoder(StreamSpec("audio", "samples", "mel_pieces", rate=16000.0), 64)
    assert (encoder.dim, encoder.frozen) == (4096, True)
    with pytest.raises(InputError, match=r"sampling rate .* of 16000, which 'mel_pieces' needs; found 8000"):
        build_encoder(StreamSpec("audio", "samples", "mel_pieces", rate=8000.0), 64)
    assert build_encoder(StreamSpec("video", "frames", "face_pixels", frame_size=48), 64).dim == 6912


def folder(path: Path, **settings: Any) -> Path:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = transformers.AlbertModel(transformers.AlbertConfig(**SETTINGS))
    path.mkdir()
    (path / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    state = {f"albert.{name}": x.contiguous() for name, x in model.state_dict().items()}
    save_file({**state, "predictions.bias": torch.zeros(30)}, str(path / "model.safetensors"))
    return path


def albert(path: Path, tokens: int = 30) -> Any:
    return build_encoder(StreamSpec("text", "tokens", f"albert:{path}", vocab_size=tokens, frozen=False), 64)


def test_albert(tmp_path: Path):
    encoder = albert(folder(tmp_path / "albert")).eval()
    assert encoder.dim == 12
    tokens = torch.tensor([[2, 7, 9, 3, 1], [2, 8, 3, 29, 29], [1, 1, 1, 1, 1]])
    y, lengths = encoder(tokens, torch.tensor([4, 3, 0]))
    assert lengths.tolist() == [4, 3, 0]
    alone, _ = encoder(tokens[1:2, :3], torch.tensor([3]))
    torch.testing.assert_close(y[1, :3], alone[0], rtol=0, atol=1e-6)
    theirs = encoder.model(input_ids=tokens[:1, :4]).last_hidden_state
    torch.testing.assert_close(y[:1], theirs, rtol=0, atol=1e-6)
    assert not y[2].any()
    y.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_errors_of_albert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    good = folder(tmp_path / "good")
    with pytest.raises(InputError, match="ALBERT's own tokenizer, of 30 tokens; found one of 31"):
        albert(good, 31)
    with pytest.raises(InputError, match="a folder of Hugging Face's ALBERT; found no such folder"):
        albert(tmp_path / "none")
    with pytest.raises(InputError, match=r"settings of an ALBERT model .*those of a model 'bert'"):
        albert(folder(tmp_path / "bert", model_type="bert"))
    with pytest.raises(InputError, match="settings of an ALBERT model; found"):
        albert(folder(tmp_path / "odd", hidden_size="wide"))
    with pytest.raises(InputError, match="at most 10 tokens, which ALBERT has positions for; found 11"):
        albert(good)(torch.full((1, 11), 3), torch.tensor([11]))
    save_file({"x": torch.zeros(1)}, str(good / "model.safetensors"))
    with pytest.raises(InputError, match=r"one of them 'embeddings\.word_embeddings\.weight'; found x"):
        albert(good)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError, match=r"the package transformers.*ip install 'mmer_fairseq\[transformers\]'"
    ):
        albert(good)
