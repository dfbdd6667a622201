"""MME2E, MESM and the late-fusion baselines under fairseq: names, streams, flags, a step from raw pixels and sound."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY, build_model
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError

mmer_fairseq.register()

from mmer_fairseq.models.lf import LFRNNModel, LFTransformerModel  # noqa: E402
from mmer_fairseq.models.mme2e import PRESETS, MESMModel, MME2EModel  # noqa: E402

RAW = {
    "text": StreamSpec("text", "tokens", "embedding", vocab_size=20),
    "audio": StreamSpec("audio", "samples", "mel_pieces", rate=16000.0),
    "video": StreamSpec("video", "frames", "face_pixels", frame_size=48),
}
SMALL = {"trans_dim": 16, "trans_nlayers": 1, "trans_nheads": 2}


def build(name: str, streams: dict[str, StreamSpec], **flags: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(
        OmegaConf.create({"_name": name, **flags}), SimpleNamespace(streams=streams, num_outputs=3)
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mme2e", MME2EModel),
        ("mme2e_sparse", MESMModel),
        *((name, MME2EModel) for name in PRESETS),
        ("lf_rnn", LFRNNModel),
        ("lf_transformer", LFTransformerModel),
    ],
)
def test_each_name_is_ours_in_both_registries(name: str, kind: type):
    assert issubclass(MODEL_REGISTRY[name], kind)
    assert ARCH_MODEL_REGISTRY[name] is MODEL_REGISTRY[name]


@pytest.mark.parametrize("name", ["mme2e", "mme2e_sparse"])
def test_a_step_from_pixels_sound_and_words(name: str):
    model = build(name, RAW, **SMALL).train()
    streams = {
        "text": torch.tensor([[0, 5, 2], [0, 2, 1]]),
        "audio": 0.1 * torch.randn(2, 9000),
        "video": torch.rand(2, 2, 3, 48, 48),
    }
    lengths = {
        "text": torch.tensor([3, 2]),
        "audio": torch.tensor([9000, 3000]),
        "video": torch.tensor([2, 0]),
    }
    output = model(streams, lengths)
    assert output["logits"].shape == (2, 3)
    output["logits"].square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    if name == "mme2e_sparse":
        found = model.eval().selection(streams, lengths)
        assert [tuple(stage.shape) for stage in found["video"][0]] == [(2, 24, 24), (2, 12, 12), (2, 6, 6)]
        assert [len(clip[0]) for clip in found["audio"]] == [2, 1]


def test_flags_reach_the_network():
    model = build("mme2e_sparse", RAW, sparse_threshold=0.7, original_behaviour=True, **SMALL)
    cnn = model.network.branches["video"].cnn
    assert (cnn.threshold, cnn.original_behaviour) == (0.7, True)
    assert model.network.text_pooling == "first"
    features = {m: StreamSpec(m, "features", dim=12) for m in ("text", "video")}
    assert build("mme2e", features, **SMALL).network.text_pooling == "mean"
    assert build("mme2e", features, text_pooling="first", **SMALL).network.text_pooling == "first"
    wide = build("mme2e_wide", features).network
    assert (wide.heads["video"].in_features, len(wide.branches["video"].transformer.encoder.layers)) == (
        512,
        2,
    )
    heads = build("lf_transformer", features, heads_video=3, trans_nlayers=1).network.readers
    assert [heads[m].encoder.layers[0].attention.heads for m in ("text", "video")] == [4, 3]


def test_published_size():
    """4.80 M in each CNN, 4.79 and 8.46 M to flatten, 1.12 M in a transformer, less its key biases."""
    streams = {m: RAW[m] for m in ("audio", "video")}
    network = build("mme2e", streams).network
    sizes = {n: sum(p.numel() for p in m.parameters()) for n, m in network.branches["video"].named_children()}
    assert abs(sizes["cnn"] - 4.80e6) < 5e3
    assert abs(sizes["flatten"] + sizes["project"] - 4.79e6) < 5e3
    assert abs(sizes["transformer"] - 1.12e6) < 5e3


def test_other_encoders_are_read_without_a_cnn(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    small = {**RAW, "video": StreamSpec("video", "frames", "frames", frame_size=16)}
    model = build("mme2e", {**small, "physio": StreamSpec("physio", "features", dim=3)}, **SMALL)
    assert "video: no CNN reads the encoder frames; --video-encoder face_pixels is end to end" in caplog.text
    assert "physio is not read" in caplog.text
    assert model.network.branches["video"].cnn is None
    with pytest.raises(InputError, match="which is what MME2E takes; found physio"):
        build("mme2e", {"physio": StreamSpec("physio", "features", dim=3)}, **SMALL)


def test_baselines_run_small_encoders_of_their_own():
    streams = {"text": RAW["text"], "audio": StreamSpec("audio", "samples", "logmel", rate=16000.0)}
    model = build("lf_rnn", streams, feature_dim=24)
    assert model.network.dims == {"text": 24, "audio": 24}
    output = model(
        {"text": torch.tensor([[0, 3, 2]]), "audio": torch.randn(1, 4000)},
        {"text": torch.tensor([3]), "audio": torch.tensor([4000])},
    )
    assert output["logits"].isfinite().all()
