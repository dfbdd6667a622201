"""The frame filter: as one clip at a time, whatever the batch; noise in training alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.frame_filter import FrameFilter

LENGTHS = torch.tensor([6, 4, 3, 0, 1])


def frames(scale: float = 2.0) -> tuple[Tensor, Tensor]:
    """Features, and logits of which some are clear; those of clip 2 are not, nor is the one of clip 4."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(5, 6, 3, generator=generator, dtype=torch.float64)
    logits = scale * torch.randn(5, 6, 7, generator=generator, dtype=torch.float64)
    logits[:, ::2] *= 0.05
    logits[2] *= 0.01
    return features, logits


def one_by_one(features: Tensor, logits: Tensor, threshold: float, tau: float) -> list[Tensor]:
    """Frame after frame."""
    found = []
    for clip, length in enumerate(LENGTHS.tolist()):
        rows = []
        for t in range(length):
            p = torch.exp(logits[clip, t] / tau)
            p = p / p.sum()
            rows.append((torch.cat([features[clip, t], p]), float((p * p).sum()) > threshold))
        kept = [row for row, clear in rows if clear] or [row for row, _ in rows]
        found.append(torch.stack(kept) if kept else features.new_zeros(0, 10))
    return found


@pytest.mark.parametrize(("threshold", "tau"), [(0.2, 1.0), (0.35, 1.0), (0.2, 0.3), (1.0, 1.0), (0.0, 2.0)])
def test_as_frame_after_frame(threshold: float, tau: float):
    features, logits = frames()
    layer = FrameFilter(threshold=threshold, tau=tau).eval()
    expected = one_by_one(features, logits, threshold, tau)
    if (threshold, tau) == (0.2, 1.0):
        assert [len(rows) for rows in expected] != LENGTHS.tolist()
        assert len(expected[2]) == 3
    for batch in (slice(0, 5), slice(0, 2), slice(1, 4), *(slice(i, i + 1) for i in range(5))):
        found, counts = layer(features[batch], logits[batch], LENGTHS[batch])
        assert counts.tolist() == [len(rows) for rows in expected[batch]]
        assert found.shape == (len(counts), 6, 10)
        for rows, own in zip(found, expected[batch]):
            torch.testing.assert_close(rows[: len(own)], own, rtol=0, atol=1e-12)
            assert not rows[len(own) :].any()


def test_padding_is_not_looked_at():
    features, logits = frames()
    layer = FrameFilter().eval()
    expected, counts = layer(features, logits, LENGTHS)
    features, logits = features.clone(), logits.clone().requires_grad_()
    spoiled = logits * 1.0
    for clip, length in enumerate(LENGTHS):
        features[clip, length:] = float("nan")
        spoiled = spoiled.masked_fill(
            (torch.arange(6) >= length)[None, :, None] & (torch.arange(5) == clip)[:, None, None],
            float("nan"),
        )
    found, again = layer(features, spoiled, LENGTHS)
    assert torch.equal(found, expected)
    assert torch.equal(again, counts)
    found.square().sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0].any()


def test_noise_is_for_training():
    features, logits = frames()
    layer = FrameFilter(threshold=0.0).eval()
    assert torch.equal(layer(features, logits, LENGTHS)[0], layer(features, logits, LENGTHS)[0])
    layer.train()
    first, second = (layer(features, logits, LENGTHS)[0] for _ in range(2))
    assert not torch.equal(first, second)
    torch.testing.assert_close(first[0, :, 3:].sum(dim=-1), torch.ones(6).double())
    # the larger logit wins as often as its probability says
    torch.manual_seed(0)
    wins = layer.distribution(torch.tensor([1.0, 0.0]).expand(20000, 2)).argmax(dim=1) == 0
    assert float(wins.float().mean()) == pytest.approx(0.731, abs=0.015)


def test_half_precision_decides_as_single():
    features, logits = frames()
    layer = FrameFilter().eval()
    found, counts = layer(features.bfloat16(), logits.bfloat16(), LENGTHS)
    assert found.dtype == torch.bfloat16
    assert torch.equal(counts, layer(features, logits.bfloat16().float(), LENGTHS)[1])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"threshold": 1.2}, "--frame-threshold: expected a number from 0 to 1; found 1.2"),
        ({"tau": 0.0}, "--gumbel-tau: expected 1e-06 or more; found 0.0"),
    ],
)
def test_errors(flags: dict[str, float], message: str):
    with pytest.raises(InputError, match=message):
        FrameFilter(**flags)
