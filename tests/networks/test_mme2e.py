"""MME2E and MESM: as the plain way computes them, for any missing modality, and a selection that learns."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmer_fairseq.checkpoints.mme2e import to_network
from mmer_fairseq.errors import InputError
from mmer_fairseq.networks.mme2e import MME2E
from mmer_fairseq.networks.mme2e_sparse import MESM

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "plain_mme2e.py"))["PlainMME2E"]
#: Small images: 16 × 16 in colour, 32 × 16 in grey.
IMAGES = {"video": (3, 16, 16), "audio": (1, 32, 16)}
DIMS = {"text": 10, "video": 768, "audio": 512}
MODALITIES = ("text", "audio", "video")


def build(threshold: float | None = None, **flags: Any) -> MME2E:
    torch.manual_seed(0)
    flags = {"dims": DIMS, "outputs": 3, "images": IMAGES, "trans_dim": 8, "layers": 2, "heads": 2, **flags}
    return MME2E(**flags) if threshold is None else MESM(threshold=threshold, **flags)


def batch(
    dtype: torch.dtype = torch.float64, **lengths: list[int]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    counts = {m: torch.tensor(lengths.get(m, [3, 1, 2])) for m in DIMS}
    streams = {m: torch.randn(3, 3, width, generator=generator, dtype=dtype) for m, width in DIMS.items()}
    return streams, counts


def plain_of(network: MME2E, threshold: float | None, scramble: bool = True) -> torch.nn.Module:
    """The plain way with the same weights, for these small images."""
    torch.manual_seed(3)
    plain = PLAIN(dim=8, layers=2, heads=2, outputs=3, text=10, threshold=threshold, scramble=scramble)
    plain.v_flatten[0] = torch.nn.Linear(512, 1024)
    plain.a_flatten[0] = torch.nn.Linear(1024, 1024)
    plain = plain.double()
    with torch.no_grad():
        for name, x in plain.named_buffers():
            if name.endswith("running_mean"):
                x.normal_(std=0.1)
            elif name.endswith("running_var"):
                x.uniform_(0.5, 1.5)
        for x in plain.parameters():
            if x.dim() == 1:
                x.add_(torch.randn_like(x), alpha=0.1)
    network.double().load_state_dict(to_network(plain.state_dict(), MODALITIES, "plain"))
    return plain


def run_plain(plain: torch.nn.Module, streams: dict[str, Tensor], counts: dict[str, Tensor]) -> Tensor:
    """Logits of the plain way; its faces are un-normalised first."""
    there = {m: [x[:n] for x, n in zip(streams[m], counts[m])] for m in streams}
    faces = torch.cat(there["video"]).view(-1, 3, 16, 16).permute(0, 2, 3, 1)
    faces = faces * torch.tensor([37.0, 33.0, 32.0]) + torch.tensor([159.0, 111.0, 102.0])
    pieces = torch.cat(there["audio"]).view(-1, 1, 32, 16)
    return plain(streams["text"][:, 0], faces, counts["video"].tolist(), pieces, counts["audio"].tolist())


@pytest.mark.parametrize(
    ("threshold", "original", "training"),
    [
        (None, False, True),
        (None, False, False),
        (0.6, True, True),
        (0.6, True, False),
        (0.6, False, True),
        (0.95, False, False),
        (1.0, False, True),
    ],
)
def test_as_the_plain_way(threshold: float | None, original: bool, training: bool):
    """Outputs, and gradients of all that the original trains."""
    network = build(threshold, dropout=0.0, **({"original_behaviour": original} if threshold else {}))
    plain = plain_of(network, threshold if threshold != 1.0 else 2.0, scramble=original).train(training)
    for module in plain.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        elif isinstance(module, torch.nn.MultiheadAttention):
            module.dropout = 0.0
    streams, counts = batch()
    logits = network.train(training)(streams, counts)["logits"]
    expected = run_plain(plain, streams, counts)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-9)
    logits.square().sum().backward()
    expected.square().sum().backward()
    theirs = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in plain.named_parameters()}
    gradients = to_network(theirs, MODALITIES, "plain")
    own = ".selection."
    for name, parameter in network.named_parameters():
        if own in name:
            assert original == (parameter.grad is None), name
        elif original or threshold is None or ".cnn." not in name:
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-6, atol=1e-9)
    if training:
        for name, buffer in network.named_buffers():
            theirs = to_network(plain.state_dict(), MODALITIES, "plain")[name]
            torch.testing.assert_close(buffer, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("threshold", [None, 0.6])
def test_padding_and_company_change_nothing(threshold: float | None):
    network = build(threshold).double().eval()
    streams, counts = batch(video=[3, 0, 2], text=[1, 3, 0])
    whole = network(streams, counts)["logits"]
    for clip in range(3):
        longest = {m: max(int(n[clip]), 1) for m, n in counts.items()}
        alone = {m: x[clip : clip + 1, : longest[m]] for m, x in streams.items()}
        logits = network(alone, {m: n[clip : clip + 1] for m, n in counts.items()})["logits"]
        torch.testing.assert_close(logits[0], whole[clip], rtol=0, atol=1e-9)


def test_the_original_mixes_clips():
    network = build(0.6, original_behaviour=True).double().eval()
    streams, counts = batch()
    whole = network(streams, counts)["logits"]
    streams["video"][2] += 1.0
    assert not torch.allclose(network(streams, counts)["logits"][0], whole[0], atol=1e-6)


@pytest.mark.parametrize("threshold", [None, 0.6])
@pytest.mark.parametrize("missing", [{"text": [0, 0, 0]}, {"video": [0, 0, 0]}, {"audio": [2, 0, 1]}, None])
def test_any_clip_may_lack_any_modality(threshold: float | None, missing: dict[str, list[int]] | None):
    network = build(threshold).train()
    streams, counts = batch(torch.float32, **(missing or {m: [0, 0, 0] for m in DIMS}))
    logits = network(streams, counts)["logits"]
    logits.square().sum().backward()
    assert logits.isfinite().all()
    lacking = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    # nothing is guided where nothing is selected, and the other way round
    assert all(".selection." in name for name in lacking)
    if missing is None:
        assert torch.equal(logits, torch.zeros(3, 3))


def test_every_parameter_is_trained():
    network = build(0.6).train()
    network(*batch(torch.float32))["logits"].square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    # a bias in front of a batch norm changes nothing
    assert all(name.endswith(("conv.bias", "conv1.bias", "conv2.bias")) for name in silent), silent


def test_without_text_images_select_by_themselves():
    network = build(0.6, dims={m: DIMS[m] for m in ("video", "audio")}).eval()
    streams, counts = batch(torch.float32)
    assert network(streams, counts)["logits"].shape == (3, 3)
    assert not any("guide" in name for name, _ in network.named_parameters())


def test_selection_is_told():
    network = build(0.5).eval()
    streams, counts = batch(torch.float32, audio=[0, 0, 0])
    found = network.selection(streams, counts)
    assert [len(clip) for clip in found["video"]] == [3, 3, 3]
    assert [tuple(stage.shape) for stage in found["video"][0]] == [(3, 8, 8), (3, 4, 4), (3, 2, 2)]
    assert [tuple(stage.shape) for stage in found["audio"][0]] == [(0, 16, 8), (0, 8, 4), (0, 4, 2)]
    for clip in found["video"]:
        for stage in clip:
            kept = stage.flatten(1).sum(1)
            assert bool((kept >= 1).all())
            assert bool((kept < stage[0].numel()).all())


def test_text_guides_the_selection():
    network = build(0.5).eval()
    torch.nn.init.normal_(network.branches["video"].cnn.stages[0].selection.guide.weight, std=3.0)
    streams, counts = batch(torch.float32)
    before = network.selection(streams, counts)["video"]
    streams["text"][0] += 3.0
    after = network.selection(streams, counts)["video"]
    assert not torch.equal(before[0][0], after[0][0])
    assert torch.equal(before[1][0], after[1][0])


@pytest.mark.parametrize("threshold", [None, 0.6])
def test_half_and_mixed_precision(threshold: float | None):
    network = build(threshold)
    streams, counts = batch(torch.float32)
    expected = network.eval()(streams, counts)["logits"].detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network.train()(streams, counts)["logits"]
        logits.float().square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    network = build(threshold).to(torch.bfloat16).eval()
    found = network({m: x.bfloat16() for m, x in streams.items()}, counts)["logits"].detach()
    assert found.dtype == torch.bfloat16
    assert float((found.float() - expected).abs().max()) < 0.2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"threshold": 0.0}, "--sparse-threshold: expected a number above 0, up to 1"),
        ({"threshold": 1.2}, "found 1.2"),
        ({"trans_dim": 9}, "--trans-dim and --trans-nheads: .*found width 9, 2 heads"),
        ({"text_pooling": "last"}, "--text-pooling: expected first or mean; found 'last'"),
        ({"images": {"video": (3, 20, 20)}}, "images of video: .*found 3 × 20 × 20"),
        ({"layers": 0}, "--trans-nlayers: expected 1 or more"),
        ({"dims": {"physio": 3}}, "expected one or more of text, audio, video, which is what MME2E takes"),
    ],
)
def test_errors(flags: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        build(**flags)


def test_a_stream_of_another_width():
    streams, counts = batch(torch.float32)
    streams["video"] = streams["video"][..., :5]
    with pytest.raises(InputError, match=r"stream 'video': expected vectors of width 768 .*found width 5"):
        build()(streams, counts)
