"""AuxFormer under fairseq: names, presets, flags, streams."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY, build_model
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError

mmer_fairseq.register()

from mmer_fairseq.models.auxformer import PRESETS, AuxFormerModel  # noqa: E402


def build(name: str, *modalities: str, **flags: object) -> AuxFormerModel:
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=8)
        for m in modalities or ("audio", "video")
    }
    task = SimpleNamespace(streams=streams, num_outputs=6)
    return build_model(OmegaConf.create({"_name": name, **flags}), task)


@pytest.mark.parametrize("name", ["auxformer", *PRESETS])
def test_each_name_is_ours_in_both_registries(name: str):
    assert issubclass(MODEL_REGISTRY[name], AuxFormerModel)
    assert ARCH_MODEL_REGISTRY[name] is MODEL_REGISTRY[name]


def test_presets_have_the_published_sizes():
    """1,162,712 and 7,038,632 parameters, less the key biases that softmax does not see."""
    for name, parameters, dim in (("auxformer", 1_162_712, 50), ("auxformer_lld", 7_038_632, 130)):
        network = build(name).network
        assert sum(p.numel() for p in network.parameters()) == parameters - 6 * 5 * dim
        assert network.main["audio"].layers[0].attention.heads == 10


def test_flags_reach_the_network():
    network = build(
        "auxformer_small", no_attention_mask=True, original_behaviour=True, embed_dropout=0.5
    ).network
    assert (network.causal, network.original_behaviour) == (False, True)
    assert network.cross["audio"].dropout.p == 0.5
    assert not network.main["video"].causal


def test_other_streams_are_left_out_and_named(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    model = build("auxformer_small", "text", "audio", "video")
    assert model.modalities == ("audio", "video")
    assert "AuxFormer takes audio and video; text is not read" in caplog.text
    with pytest.raises(
        InputError, match="expected audio, video or both, which is what AuxFormer knows; found text"
    ):
        build("auxformer_small", "text")


def test_small_encoders_give_the_width_of_the_network():
    streams = {"audio": StreamSpec(modality="audio", form="samples", encoder="logmel", rate=16000.0)}
    task = SimpleNamespace(streams=streams, num_outputs=6)
    model = build_model(OmegaConf.create({"_name": "auxformer"}), task)
    assert model.encoders.encoder["audio"].dim == model.network.dims["audio"] == 50
    assert not model.network.projections
    assert not model.encoders.projection
