"""JMT under fairseq: names, flags, streams in parts, traces."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import torch
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY, build_model
from omegaconf import OmegaConf
from torch import Tensor

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.errors import InputError

mmer_fairseq.register()

from mmer_fairseq.models.jmt import PRESETS, JMTModel  # noqa: E402

PARTS = {"video": (), "audio": (16, 6), "physio": ()}
WIDTHS = {"video": 16, "audio": 22, "physio": 10}
VARIANTS = [("TRANSFORMER", "SELF_ATTEN"), ("TRANSFORMER", "FC"), ("FC", "FC"), ("NONE", "FC")]
FUSIONS = [None, "feat_concat_fc", "encoder_plus_self_attention"]
SMALL = {"embed_dim": 16, "head_dim": 12}


def build(
    *modalities: str, name: str = "jmt", over_time: bool = True, parts=PARTS, outputs: int = 2, **flags
):
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=WIDTHS[m], parts=parts.get(m, ()))
        for m in modalities
    }
    torch.manual_seed(0)
    task = SimpleNamespace(streams=streams, num_outputs=outputs, over_time=over_time)
    return build_model(OmegaConf.create({"_name": name, **SMALL, **flags}), task)


def batch(model: JMTModel, counts=(5, 3, 5), **missing: list[int]) -> dict[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(3)
    lengths = {m: torch.tensor(missing.get(m, counts)) for m in model.modalities}
    steps = max(int(own.max()) for own in lengths.values())
    streams = {m: torch.randn(len(counts), max(steps, 1), WIDTHS[m], generator=generator) for m in lengths}
    return {"streams": streams, "lengths": lengths}


def each_variant():
    for (joint, output), streams, intra in itertools.product(VARIANTS, (2, 3), FUSIONS):
        flags = {"joint_modalities": joint, "output_format": output, "intra_modal_fusion": intra}
        yield pytest.param(streams, flags, id=f"{joint}-{output}-{streams}-{intra}")


def variant(streams: int, flags: dict) -> JMTModel:
    parts = PARTS if flags["intra_modal_fusion"] else {}
    return build(*list(PARTS)[:streams], parts=parts, **flags)


@pytest.mark.parametrize("name", ["jmt", *PRESETS])
def test_each_name_is_ours_in_both_registries(name: str):
    assert issubclass(MODEL_REGISTRY[name], JMTModel)
    assert ARCH_MODEL_REGISTRY[name] is MODEL_REGISTRY[name]


def test_the_plain_name_has_the_published_size():
    """11,170,000 used of 52,093,442: less final_encoder and the key biases that softmax does not see."""
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=512) for m in ("video", "audio")
    }
    task = SimpleNamespace(streams=streams, num_outputs=2, over_time=True)
    model = build_model(OmegaConf.create({"_name": "jmt"}), task)
    unused = 9216 * 3073 + 3072 * 3073 + 512 * 3073 + 3072 * 513 + 4 * 3072
    assert sum(p.numel() for p in model.parameters()) == 52_093_442 - unused - 8 * 512


@pytest.mark.parametrize(("streams", "flags"), list(each_variant()))
def test_traces_of_every_variant(streams: int, flags: dict):
    model = variant(streams, flags).train()
    logits = model(**batch(model))["logits"]
    assert logits.shape == (3, 5, 2)
    assert not logits[1, 3:].any()
    logits[..., 0].square().sum().backward(retain_graph=True)
    logits[..., 1].square().sum().backward()
    lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not lacking


@pytest.mark.parametrize(("streams", "flags"), list(each_variant()))
def test_nothing_depends_on_padding_company_or_absent_streams(streams: int, flags: dict):
    model = variant(streams, flags).double().eval()
    given = batch(model, video=[5, 0, 2], audio=[5, 3, 0], **({"physio": [5, 0, 2]} if streams == 3 else {}))
    given["streams"] = {m: x.double() for m, x in given["streams"].items()}
    whole = model(**given)["logits"]
    for clip, steps in enumerate((5, 3, 2)):
        counts = {m: own[clip : clip + 1] for m, own in given["lengths"].items()}
        # what lies in padding and in absent streams is not looked at
        alone = {m: x[clip : clip + 1, :steps].clone() for m, x in given["streams"].items()}
        for m, x in alone.items():
            x[:, int(counts[m]) :] = 7.0
        found = model(streams=alone, lengths=counts)["logits"]
        torch.testing.assert_close(found[0], whole[clip, :steps], rtol=0, atol=1e-12)
        assert not whole[clip, steps:].any()


@pytest.mark.parametrize(("streams", "flags"), list(each_variant()))
def test_a_clip_without_anything_gives_finite_gradients(streams: int, flags: dict):
    model = variant(streams, flags).train()
    none = {m: [5, 0, 0] for m in model.modalities}
    logits = model(**batch(model, **none))["logits"]
    (logits - 1).square().sum().backward()
    assert logits.isfinite().all()
    assert not logits[1:].any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("flags", [{}, {"joint_modalities": "NONE"}], ids=str)
def test_an_absent_partner_leaves_the_other_heard(flags: dict):
    model = build("video", "audio", parts={}, **flags).eval()
    given = batch(model, audio=[0, 0, 0])
    first = model(**given)["logits"]
    given["streams"]["video"] = given["streams"]["video"].flip(2)
    assert (model(**given)["logits"] - first).abs()[0].min() > 1e-6


@pytest.mark.parametrize("name", ["jmt", *PRESETS])
def test_pretraining_of_one_stream(name: str):
    model = build("audio", name=name, goal="PRETRAINING", parts={}).train()
    logits = model(**batch(model))["logits"]
    assert logits.shape == (3, 5, 2)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert len(list(model.network.parameters())) == 4


def test_flags_reach_the_network():
    network = build(
        "video", "audio", parts={}, num_heads=4, num_layers=2, head_dim=7, v_dropout=0.1, a_dropout=0.2, outputs=3,
        positions="sinusoidal", original_behaviour=True, joint_modalities="NONE",
    ).network  # fmt: skip
    assert (network.positions, network.original_behaviour, network.joint_modalities) == (
        "sinusoidal",
        True,
        "NONE",
    )
    assert network.head.dropouts == (0.1, 0.2, 0.2)
    assert network.head.weight.shape == (3, 7)
    assert len(network.encoders["video"].layers) == 2
    assert network.cross["audio"].heads == 4


def test_parts_need_a_fusion():
    message = "expected feat_concat_fc or encoder_plus_self_attention, because audio has 2 feature stores; found none."
    with pytest.raises(InputError, match=message) as caught:
        build("video", "audio")
    assert "--intra-modal-fusion" in str(caught.value)


def test_a_new_set_of_traces_starts_new_heads(caplog: pytest.LogCaptureFixture):
    old, new = build("video", "audio", parts={}), build("video", "audio", parts={}, outputs=3)
    new.load_state_dict(old.state_dict(), model_cfg=None)
    assert (
        "network.head starts from its initial weights: 2 outputs in the checkpoint, 3 needed" in caplog.text
    )
    with pytest.raises(InputError, match="an output layer trained for 3 outputs; found one for 2"):
        new.eval()(**batch(new))
    strict = build("video", "audio", parts={}, outputs=3, load_checkpoint_heads=True)
    with pytest.raises(InputError, match="--load-checkpoint-heads: expected a checkpoint whose output layer"):
        strict.load_state_dict(old.state_dict(), model_cfg=None)


def test_clips_start_a_new_output_layer_alone(caplog: pytest.LogCaptureFixture):
    flags = {"parts": {}, "over_time": False}
    old, new = build("video", "audio", **flags), build("video", "audio", outputs=5, **flags)
    new.load_state_dict(old.state_dict(), model_cfg=None)
    assert "network.head.out_proj starts from its initial weights" in caplog.text
    assert torch.equal(new.network.head.dense.weight, old.network.head.dense.weight)


@pytest.mark.parametrize("over_time", [True, False], ids=["traces", "clips"])
@pytest.mark.parametrize(
    "modalities", [("video",), ("audio", "video"), ("physio", "audio", "video")], ids=len
)
@pytest.mark.parametrize(("joint", "output"), VARIANTS)
def test_no_layer_is_without_use(joint: str, output: str, modalities: tuple[str, ...], over_time: bool):
    flags = {"joint_modalities": joint, "output_format": output, "parts": {}, "num_heads": 2, "outputs": 4}
    model = build(*modalities, over_time=over_time, **flags).train()
    assert model.modalities == tuple(m for m in ("video", "audio", "physio") if m in modalities)
    logits = model(**batch(model, **({} if over_time else {"video": [2, 1, 3]})))["logits"]
    assert logits.shape == ((3, logits.shape[1], 4) if over_time else (3, 4))
    weights = torch.linspace(0.5, 1.5, logits.numel()).view_as(logits)
    (logits * weights).sum().backward()
    lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not lacking
