"""FacialMMT: as the plain way computes it, for any choice of modalities and any that a clip lacks."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.facialmmt import sizes_of, to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.facialmmt import FacialMMT

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_facialmmt.py"))
DIMS = {"text": 10, "audio": 6, "video": 9}
SIZES = {"dim": 24, "heads": 3, "ta_heads": 3, "tav_heads": 3, "ffn_dim": 20}
STEPS = {"text_steps": 5, "audio_steps": 7, "video_steps": 6}
SUBSETS = [
    ("text",),
    ("audio",),
    ("video",),
    ("text", "audio"),
    ("text", "video"),
    ("audio", "video"),
    tuple(DIMS),
]


def build(modalities: tuple[str, ...] = tuple(DIMS), **flags: Any) -> FacialMMT:
    torch.manual_seed(0)
    flags = {
        "dims": {m: DIMS[m] for m in modalities},
        "outputs": 4,
        "audio_layers": 3,
        **SIZES,
        **STEPS,
        **flags,
    }
    network = FacialMMT(**flags)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return network


def batch(
    dtype: torch.dtype = torch.float64, **lengths: list[int]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Four clips, with numbers at padded steps."""
    generator = torch.Generator().manual_seed(1)
    usual = {"text": [5, 2, 4, 1], "audio": [3, 7, 1, 2], "video": [1, 4, 6, 2]}
    counts = {m: torch.tensor(lengths.get(m, n)) for m, n in usual.items()}
    streams = {
        m: torch.randn(4, max(int(n.max()), 1), DIMS[m], generator=generator, dtype=dtype)
        for m, n in counts.items()
    }
    return streams, counts


def plain_of(modalities: tuple[str, ...] = tuple(DIMS), **flags: Any) -> tuple[torch.nn.Module, FacialMMT]:
    """The plain way and our network with the same weights."""
    torch.manual_seed(2)
    sizes = {"dim": 24, "heads": 3, "inside": 20, "outputs": 4}
    plain = (
        PLAIN["PlainFacialMMT"](
            widths=list(DIMS.values()), steps=list(STEPS.values()), audio_layers=3, **sizes
        )
        if len(modalities) == 3
        else PLAIN["PlainUnimodal"](width=DIMS["video"], steps=6, **sizes)
    )
    plain = plain.double().eval()
    with torch.no_grad():
        for parameter in plain.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
    network = build(modalities, **flags).double().eval()
    network.load_state_dict(to_network(plain.state_dict(), "plain"))
    return plain, network


def grouped(values: dict[str, Tensor]) -> tuple[list[Tensor], ...]:
    return ([values[m] for m in DIMS],)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "lengths", [{}, {"text": [5, 5, 5, 5], "audio": [7] * 4, "video": [6] * 4}, {"video": [1, 2, 1, 1]}]
)
def test_as_the_plain_way(masked: bool, lengths: dict[str, list[int]]):
    """Outputs and gradients; with full lengths both ways are one."""
    plain, network = plain_of(original_behaviour=not masked)
    streams, counts = batch(**lengths)
    logits = network(streams, counts)["logits"]
    expected = plain(*grouped(streams), *grouped(counts), masked=masked)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-10)
    other = plain(*grouped(streams), *grouped(counts), masked=not masked)
    assert torch.allclose(other, expected, atol=1e-8) == ("text" in lengths)
    logits.square().sum().backward()
    expected.square().sum().backward()
    theirs = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in plain.named_parameters()}
    for name in ("query_vector", "Q.bias"):  # of the one bias that these are here, P.bias has the gradient
        theirs[f"attention.{name}"].zero_()
    for name, gradient in to_network(theirs, "plain").items():
        torch.testing.assert_close(network.get_parameter(name).grad, gradient, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("original", [False, True])
def test_picture_alone_as_the_plain_way(original: bool):
    plain, network = plain_of(("video",), original_behaviour=original)
    streams, counts = batch()
    found = network({"video": streams["video"]}, {"video": counts["video"]})["logits"]
    torch.testing.assert_close(found, plain(streams["video"], counts["video"]), rtol=0, atol=1e-10)


def test_the_tensors_tell_the_sizes():
    plain, network = plain_of()
    told = sizes_of(plain.state_dict(), "plain").arguments()
    again = FacialMMT(heads=3, ta_heads=3, tav_heads=3, text_steps=5, **told)
    assert {n: x.shape for n, x in again.state_dict().items()} == {
        n: x.shape for n, x in network.state_dict().items()
    }


def test_what_a_clip_lacks_is_left_out_as_in_the_plain_way():
    plain, network = plain_of()
    streams, counts = batch(text=[0, 3, 4, 0], audio=[2, 0, 0, 0], video=[2, 3, 0, 0])
    expected = plain(*grouped(streams), *grouped(counts), masked=True)
    torch.testing.assert_close(network(streams, counts)["logits"], expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(expected[3], network.classifier.bias, rtol=0, atol=1e-12)


@pytest.mark.parametrize("modalities", SUBSETS, ids="-".join)
def test_padding_and_company_change_nothing(modalities: tuple[str, ...]):
    network = build(modalities).double().eval()
    streams, counts = batch(text=[0, 3, 4, 1], audio=[2, 0, 7, 1], video=[2, 3, 0, 6])
    whole = network(streams, counts)["logits"]
    spoiled = {m: torch.nn.functional.pad(x, (0, 0, 0, 3), value=float("nan")) for m, x in streams.items()}
    for m, x in spoiled.items():
        for clip, length in enumerate(counts[m]):
            x[clip, int(length) :] = float("nan")
    torch.testing.assert_close(network(spoiled, counts)["logits"], whole, rtol=0, atol=1e-12)
    for clip in range(4):
        alone = {m: x[clip : clip + 1, : max(int(counts[m][clip]), 1)] for m, x in streams.items()}
        own = network(alone, {m: n[clip : clip + 1] for m, n in counts.items()})["logits"]
        torch.testing.assert_close(own[0], whole[clip], rtol=0, atol=1e-12)


def test_batches_of_1_4_and_16_in_single_precision():
    network = build().eval()
    generator = torch.Generator().manual_seed(3)
    streams = {m: torch.randn(16, 5, width, generator=generator) for m, width in DIMS.items()}
    counts = {m: torch.randint(0, 6, (16,), generator=generator) for m in DIMS}
    whole = network(streams, counts)["logits"]
    for size in (1, 4):
        parts = [slice(i, i + size) for i in range(0, 16, size)]
        found = [
            network({m: x[p] for m, x in streams.items()}, {m: n[p] for m, n in counts.items()})["logits"]
            for p in parts
        ]
        torch.testing.assert_close(torch.cat(found), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("modalities", SUBSETS, ids="-".join)
def test_any_clip_may_lack_any_modality(modalities: tuple[str, ...], original: bool):
    network = build(modalities, original_behaviour=original).train()
    nothing = [0, 0, 0, 0]
    for missing in (
        {"text": nothing},
        {"audio": [0, 3, 0, 1], "video": [1, 0, 0, 6]},
        dict.fromkeys(DIMS, nothing),
    ):
        network.zero_grad()
        logits = network(*batch(torch.float32, **missing))["logits"]
        logits.square().sum().backward()
        assert logits.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("modalities", SUBSETS, ids="-".join)
def test_every_parameter_is_trained(modalities: tuple[str, ...], original: bool):
    network = build(modalities, original_behaviour=original).double().train()
    network(*batch())["logits"].square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert not silent


def test_only_what_the_chosen_modalities_use_is_built():
    assert list(build(("text",)).crossings) == []
    assert list(build(("text",)).encoders) == []
    assert list(build(("audio", "video")).crossings) == ["ta"]
    assert list(build(("video",)).projections) == ["video"]
    assert build().dims == DIMS


def test_what_is_too_long_is_cut_off():
    network = build().double().eval()
    generator = torch.Generator().manual_seed(4)
    streams = {m: torch.randn(2, 9, w, generator=generator, dtype=torch.float64) for m, w in DIMS.items()}
    counts = {m: torch.tensor([9, 8]) for m in DIMS}
    cut = {m: x[:, : network.steps[m]] for m, x in streams.items()}
    found = network(streams, counts)["logits"]
    expected = network(cut, {m: torch.full((2,), network.steps[m]) for m in DIMS})["logits"]
    assert torch.equal(found, expected)


def test_evaluation_is_deterministic_and_training_is_not():
    network = build(dropout=0.3)
    given = batch(torch.float32)
    first, second = (network.eval()(*given)["logits"] for _ in range(2))
    assert torch.equal(first, second)
    first, second = (network.train()(*given)["logits"] for _ in range(2))
    assert not torch.equal(first, second)


def test_half_and_mixed_precision():
    network = build()
    streams, counts = batch(torch.float32, text=[0, 2, 3, 4])
    expected = network.eval()(streams, counts)["logits"].detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network.train()(streams, counts)["logits"]
        logits.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    for dtype, limit in ((torch.bfloat16, 0.2), (torch.float16, 0.03)):
        found = build().to(dtype).eval()(streams, counts)["logits"].detach()
        assert found.dtype == dtype
        assert float((found.float() - expected).abs().max()) < limit


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"dims": {}},
            "--modalities: expected one or more of text, audio, video, which is what FacialMMT takes",
        ),
        ({"dims": {"physio": 3}}, "found physio"),
        ({"heads": 5}, "--encoder-embed-dim and --encoder-attention-heads: .*found width 24, 5 heads"),
        ({"tav_heads": 7}, "--encoder-embed-dim and --tav-heads: .*found width 24, 7 heads"),
        ({"ta_heads": 0}, "--ta-heads: expected 1 or more; found 0"),
        ({"audio_layers": -1}, "--audio-layers: expected 0 or more; found -1"),
        ({"ta_layers": -1}, "--ta-layers: expected 0 or more; found -1"),
        ({"video_steps": 0}, "--max-video-steps: expected 1 or more; found 0"),
        ({"tav_attention_dropout": 1.5}, "--tav-attention-dropout: expected a number from 0 to 1; found 1.5"),
        ({"dropout": -0.1}, "--dropout: expected a number from 0 to 1; found -0.1"),
    ],
)
def test_errors(flags: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        build(**flags)


def test_a_stream_of_another_width_or_none():
    streams, counts = batch(torch.float32)
    with pytest.raises(InputError, match=r"stream 'video': expected vectors of width 9 .*found width 5"):
        build()({**streams, "video": streams["video"][..., :5]}, counts)
    del streams["audio"]
    with pytest.raises(InputError, match="batch: expected the stream 'audio'; found text, video"):
        build()(streams, counts)
