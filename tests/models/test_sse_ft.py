"""SSE-FT under fairseq: names, presets, flags, modalities, checkpoints."""

from __future__ import annotations

from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY, build_model
from omegaconf import OmegaConf

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError

mmer_fairseq.register()

from mmer_fairseq.models.sse_ft import PRESETS, RobertaEMO  # noqa: E402

WIDTHS = {"text": 24, "audio": 16, "video": 8}
TINY = {
    "encoder_layers": 1,
    "encoder_embed_dim": 24,
    "encoder_embed_dim_a": 16,
    "encoder_embed_dim_v": 8,
    "encoder_ffn_embed_dim": 12,
    "encoder_attention_heads": 4,
}


def task(*modalities: str, outputs: int = 4) -> SimpleNamespace:
    """What the model needs of a task: streams of stored features."""
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=WIDTHS[m])
        for m in modalities or tuple(WIDTHS)
    }
    return SimpleNamespace(streams=streams, num_outputs=outputs)


def build(model_task: SimpleNamespace, name: str = "robertaEMO", **flags: object) -> RobertaEMO:
    torch.manual_seed(0)
    return build_model(OmegaConf.create({"_name": name, **TINY, **flags}), model_task)


def batch(*modalities: str) -> dict:
    generator = torch.Generator().manual_seed(2)
    streams = {m: torch.randn(3, 5, WIDTHS[m], generator=generator) for m in modalities or tuple(WIDTHS)}
    return {"streams": streams, "lengths": {m: torch.tensor([5, 2, 0]) for m in streams}}


@pytest.mark.parametrize("name", ["robertaEMO", *PRESETS])
def test_each_name_is_ours_in_both_registries(name: str):
    assert issubclass(MODEL_REGISTRY[name], RobertaEMO)
    assert ARCH_MODEL_REGISTRY[name] is MODEL_REGISTRY[name]


def test_presets_have_the_published_sizes():
    few = {"encoder_layers": 1, "encoder_ffn_embed_dim": 8}  # built quickly
    base, same, large, small = (
        build_model(OmegaConf.create({"_name": name, **few}), task()).network
        for name in ("robertaEMO", "robertaEMO_base", "robertEMO_large", "robertaEMO_small")
    )
    assert base.dims == same.dims == {"text": 768, "audio": 768, "video": 768}
    assert large.dims == {"text": 1024, "audio": 512, "video": 256}
    assert large.head.dense.in_features == 1792
    assert [n.self_stacks["audio"].layers[0].attention.heads for n in (base, large, small)] == [12, 16, 4]
    large_flags = MODEL_REGISTRY["robertEMO_large"].__dict__["__dataclass"]()
    assert (large_flags.encoder_layers, large_flags.encoder_layers_cross) == (24, 1)
    assert large_flags.encoder_ffn_embed_dim == 1024
    base_flags = MODEL_REGISTRY["robertaEMO"].__dict__["__dataclass"]()
    assert (base_flags.encoder_layers, base_flags.encoder_ffn_embed_dim) == (12, 3072)


def test_an_old_style_namespace_builds_too():
    cfg = Namespace(arch="robertEMO_large", encoder_layers=1, encoder_ffn_embed_dim=8)
    assert build_model(cfg, task()).network.dims["text"] == 1024


def test_every_trainable_parameter_receives_a_gradient():
    for modalities in (("text", "audio", "video"), ("audio", "video"), ("text",), ("video",)):
        model = build(task(*modalities)).train()
        model(**batch(*modalities))["logits"].square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_streams_of_other_widths_are_projected():
    model = build(task(), encoder_embed_dim_a=12)
    assert model.encoders.projection["audio"].weight.shape == (12, 16)
    assert model(**batch())["logits"].shape == (3, 4)


@pytest.mark.parametrize(
    ("flags", "modalities"),
    [
        ({"t_only": True}, ("text",)),
        ({"a_only": True, "v_only": True}, ("audio", "video")),
        ({"all_in": True}, ("text", "audio", "video")),
        ({}, ("text", "audio", "video")),
    ],
    ids=str,
)
def test_flags_choose_modalities(flags: dict, modalities: tuple):
    model = build(task(), **flags)
    assert model.modalities == modalities
    assert tuple(model.encoders.encoder) == modalities
    assert model(**batch())["logits"].shape == (3, 4)


def test_wrong_flags_are_refused():
    with pytest.raises(InputError) as error:
        build(task("text", "audio"), v_only=True)
    assert str(error.value) == (
        "--t-only, --a-only, --v-only, --all-in: expected --all-in, or others of these, for streams that the "
        "task reads (text, audio); found --v-only. Leave these flags out and choose with --modalities."
    )
    with pytest.raises(InputError, match="found --all-in --t-only"):
        build(task(), all_in=True, t_only=True)
    with pytest.raises(
        InputError, match="--encoder-embed-dim-concat: expected 48, the widths of text, audio, video"
    ):
        build(task(), encoder_embed_dim_concat=1792)
    assert build(task(), encoder_embed_dim_concat=48)


def test_a_physio_stream_is_refused():
    streams = task()
    streams.streams["physio"] = StreamSpec(modality="physio", form="features", encoder="identity", dim=4)
    with pytest.raises(InputError, match="--modalities: expected one to three of text, audio, video"):
        build(streams)


def test_checkpoint_round_trip():
    source, model = build(task()), build(task())
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    model.load_state_dict(source.state_dict(), strict=True, model_cfg=None)
    assert torch.equal(source.eval()(**batch())["logits"], model.eval()(**batch())["logits"])
    assert all(name.startswith(("encoders.", "network.")) for name in model.state_dict())


def test_a_foreign_checkpoint_is_refused_in_words():
    with pytest.raises(
        InputError, match=r"checkpoint: expected the \d+ tensors of this RobertaEMO; found \d+ missing"
    ):
        build(task()).load_state_dict({"encoder.embed_tokens.weight": torch.zeros(2, 2)})


def test_another_number_of_classes_starts_a_new_output_layer():
    source = build(task(outputs=7)).state_dict()
    model = build(task(outputs=4))
    model.load_state_dict(source)
    assert torch.equal(model.network.head.dense.weight, source["network.head.dense.weight"])
    with pytest.raises(InputError, match="expected an output layer trained for 4 outputs; found one for 7"):
        model.eval()(**batch())
    with pytest.raises(InputError, match="--load-checkpoint-heads"):
        build(task(outputs=4), load_checkpoint_heads=True).load_state_dict(source)


def test_no_clip_is_dropped_for_its_length():
    assert build(task()).max_positions() is None
