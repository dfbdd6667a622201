"""What every registered architecture must do, whatever system it is of.

An architecture is tested in its own sizes made small; a new system adds the flags that make it small.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fairseq.models import MODEL_REGISTRY, build_model
from omegaconf import OmegaConf
from torch import Tensor

import mmer_fairseq
from mmer_fairseq.encoders.base import StreamSpec

mmer_fairseq.register()

MODELS = Path(mmer_fairseq.__file__).parent / "models"
WIDTHS = {"text": 24, "audio": 16, "video": 8}
#: File in ``models/`` → modalities, and flags for a small network.
SMALL = {
    "sse_ft": (
        ("text", "audio", "video"),
        {
            "encoder_layers": 2,
            "encoder_embed_dim": 24,
            "encoder_embed_dim_a": 16,
            "encoder_embed_dim_v": 8,
            "encoder_ffn_embed_dim": 12,
            "encoder_attention_heads": 4,
        },
    ),
    "auxformer": (
        ("audio", "video"),
        {
            "encoder_layers": 2,
            "audio_dim": 16,
            "video_dim": 8,
            "encoder_embed_dim": 16,
            "encoder_attention_heads": 4,
        },
    ),
    "jmt": (
        ("video", "audio", "text"),
        {"embed_dim": 16, "head_dim": 12, "num_heads": 2},
    ),
    "mme2e": (
        ("text", "audio", "video"),
        {"trans_dim": 16, "trans_nlayers": 2, "trans_nheads": 2},
    ),
    "lf": (("text", "audio", "video"), {}),
    "facialmmt": (
        ("text", "audio", "video"),
        {
            "encoder_embed_dim": 16,
            "encoder_ffn_embed_dim": 24,
            "encoder_attention_heads": 2,
            "ta_heads": 2,
            "tav_heads": 2,
            "frame_emotions": 3,
        },
    ),
}
OURS = sorted(
    name for name, model in MODEL_REGISTRY.items() if model.__module__.startswith("mmer_fairseq.models.")
)


#: Of models in folders that MMER_MODELS names, in their own sizes.
OTHERS = (("text", "audio", "video"), {})


def small(name: str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Modalities of an architecture's system, and flags for a small network."""
    return SMALL.get(system(name), OTHERS)


def system(name: str) -> str:
    return MODEL_REGISTRY[name].__module__.rpartition(".")[2]


def build(name: str, modalities: tuple[str, ...] | None = None) -> torch.nn.Module:
    known, flags = small(name)
    streams = {
        m: StreamSpec(modality=m, form="features", encoder="identity", dim=WIDTHS[m])
        for m in modalities or known
    }
    torch.manual_seed(0)
    task = SimpleNamespace(streams=streams, num_outputs=4)
    return build_model(OmegaConf.create({"_name": name, **flags}), task)


def batch(
    name: str, dtype: torch.dtype = torch.float32, **lengths: list[int]
) -> dict[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(2)
    counts = {m: torch.tensor(lengths.get(m, [6, 3, 5])) for m in small(name)[0]}
    streams = {m: torch.randn(3, 6, WIDTHS[m], generator=generator).to(dtype) for m in counts}
    return {"streams": streams, "lengths": counts}


def test_every_system_is_here():
    ours = {file.stem for file in MODELS.glob("[!_]*.py")}
    assert {system(name) for name in OURS} & ours == set(SMALL) == ours


@pytest.mark.parametrize("name", OURS)
def test_forward(name: str):
    output = build(name)(**batch(name))
    assert output["logits"].shape == (3, 4)
    assert all(x.shape == (3, 4) for x in output["aux"].values())


@pytest.mark.parametrize("name", OURS)
def test_backward_reaches_every_parameter(name: str):
    model = build(name).train()
    output = model(**batch(name))
    loss = output.get("main", output["logits"]).square().sum()
    (loss + sum(x.square().sum() for x in output["aux"].values())).backward()
    lacking = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not lacking


@pytest.mark.parametrize("name", OURS)
def test_any_clip_may_lack_any_modality(name: str):
    for missing in small(name)[0]:
        for lengths in ([6, 0, 5], [0, 0, 0]):
            model = build(name).train()
            output = model(**batch(name, **{missing: lengths}))
            output["logits"].square().sum().backward()
            assert output["logits"].isfinite().all()
            assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    nothing = {m: [0, 0, 0] for m in WIDTHS}
    assert build(name)(**batch(name, **nothing))["logits"].isfinite().all()


@pytest.mark.parametrize("name", OURS)
def test_each_modality_alone(name: str):
    for modality in small(name)[0]:
        model, given = build(name, (modality,)), batch(name)
        only = {key: {modality: value[modality]} for key, value in given.items()}
        assert model(**only)["logits"].isfinite().all()


@pytest.mark.parametrize("name", OURS)
def test_padding_and_company_change_nothing(name: str):
    model, given = build(name).double().eval(), batch(name, torch.float64, audio=[6, 0, 2])
    whole = model(**given)["logits"]
    for clip in range(3):
        longest = {m: max(int(n[clip]), 1) for m, n in given["lengths"].items()}
        alone = {
            "streams": {m: x[clip : clip + 1, : longest[m]] for m, x in given["streams"].items()},
            "lengths": {m: n[clip : clip + 1] for m, n in given["lengths"].items()},
        }
        torch.testing.assert_close(model(**alone)["logits"][0], whole[clip], rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", OURS)
def test_half_precision(name: str, dtype: torch.dtype):
    model = build(name).eval()
    expected = model(**batch(name))["logits"].detach()
    found = model.to(dtype)(**batch(name, dtype))["logits"].detach()
    assert found.dtype == dtype
    assert float((found.float() - expected).abs().max()) < 0.2


@pytest.mark.parametrize("name", OURS)
def test_mixed_precision(name: str):
    model = build(name).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**batch(name))
        output["logits"].float().square().sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(x.isfinite().all() for x in gradients)  # noqa: PT018


@pytest.mark.parametrize("name", OURS)
def test_checkpoint_round_trip(name: str):
    source, model = build(name).eval(), build(name).eval()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.load_state_dict(source.state_dict(), strict=True, model_cfg=None)
    assert torch.equal(source(**batch(name))["logits"], model(**batch(name))["logits"])
