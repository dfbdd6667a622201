"""Frozen encoders out of an SSE-FT checkpoint load as the published ones do."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from mmer_fairseq.checkpoints.encoders import NAMES, published_form
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.fabnet import _layers
from mmer_fairseq.encoders.registry import build_encoder
from mmer_fairseq.errors import InputError

TINY = runpy.run_path(str(Path(__file__).parents[1] / "encoders" / "conftest.py"))

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def build(modality: str, form: str, content: dict, folder: Path) -> torch.nn.Module:
    path = folder / f"{modality}.pt"
    torch.save(content, path)
    spec = StreamSpec(modality=modality, form=form, encoder=f"{NAMES[modality]}:{path}")
    return build_encoder(spec, 0)


@pytest.mark.parametrize("wrapper", ["", "model."], ids=["bare", "hub interface"])
def test_roberta(tmp_path: Path, wrapper: str):
    model, _ = TINY["roberta_model"]()
    state = {wrapper + name: x for name, x in TINY["as_of_2019"](model).items()}
    content = published_form("text", state, "old.pt")
    assert vars(content["args"]) == {
        "arch": "roberta_large",
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 48,
        "encoder_attention_heads": 1,
    }
    encoder = build("text", "tokens", content, tmp_path)
    assert torch.equal(
        encoder.sentence_encoder.layers[1].fc2.weight, model.encoder.sentence_encoder.layers[1].fc2.weight
    )


def test_wav2vec(tmp_path: Path):
    layers = [(8, 10, 5), (8, 8, 4), (8, 4, 2), (8, 4, 2), (8, 4, 2), (8, 1, 1), (8, 1, 1)]
    context = [(8, k, 1) for k in (2, 3, 4)]
    model, settings = TINY["wav2vec_model"](
        conv_feature_layers=str(layers), conv_aggregator_layers=str(context), skip_connections_feat=False
    )
    content = published_form("audio", model.state_dict(), "old.pt")
    for name in ("conv_feature_layers", "conv_aggregator_layers", "skip_connections_agg", "residual_scale"):
        assert getattr(content["args"], name) == settings[name]
    encoder = build("audio", "samples", content, tmp_path)
    wave = torch.randn(1, 1600)
    found, _ = encoder(wave, torch.tensor([1600]))
    expected = model.feature_aggregator(model.feature_extractor(wave)).transpose(1, 2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_fabnet(tmp_path: Path):
    layers = _layers(bias=True)
    state = {f"encoder.{name}": x for name, x in layers.state_dict().items()}
    encoder = build("video", "frames", published_form("video", state, "old.pt"), tmp_path)
    assert torch.equal(encoder.encoder[0].weight, layers[0].weight)


@pytest.mark.parametrize(
    ("modality", "name"), [("text", "RoBERTa"), ("audio", "wav2vec"), ("video", "FAb-Net")]
)
def test_other_tensors_are_refused(modality: str, name: str):
    with pytest.raises(InputError) as error:
        published_form(modality, {"x.weight": torch.zeros(1)}, "old.pt")
    assert str(error.value) == (
        f"old.pt: expected the tensors of {name} as published; found x.weight. Leave out --keep-encoders and name "
        "the published encoder checkpoints."
    )


def test_a_wav2vec_of_other_depth_is_refused():
    model, _ = TINY["wav2vec_model"]()  # four convolutions, whose strides we cannot know
    with pytest.raises(InputError, match="expected the tensors of wav2vec as published"):
        published_form("audio", model.state_dict(), "old.pt")
