"""Our attention for narrow heads against the formula, its gradient, and what dropping does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmer_fairseq.modules.masks import causal_between, padding_mask
from mmer_fairseq.modules.small_heads import attend_small


def formula(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None) -> Tensor:
    scores = torch.einsum("bqhd,bthd->bhqt", q, k) * q.shape[-1] ** -0.5
    if hidden is not None:
        scores = scores.masked_fill(hidden[:, None], float("-inf"))
    return torch.einsum("bhqt,bthd->bqhd", scores.softmax(-1), v)


def heads(queries: int, steps: int) -> list[Tensor]:
    torch.manual_seed(0)
    shapes = [(3, queries, 2, 5), (3, steps, 2, 5), (3, steps, 2, 5)]
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


LENGTHS = torch.tensor([70, 33, 1])
MASKS = {
    "none": None,
    "padding": padding_mask(LENGTHS, 70)[:, None],
    "other sequence": causal_between(torch.tensor([40, 20, 1]), LENGTHS, 40, 70),
}


@pytest.mark.parametrize("mask", MASKS)
def test_output_and_gradients_are_the_formulas(mask: str):
    parts = heads(40, 70)
    hidden = MASKS[mask]
    ours, expected = attend_small(*parts, hidden, False, 0.0), formula(*parts, hidden)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    direction = torch.randn_like(expected)
    gradients = torch.autograd.grad(ours, parts, direction), torch.autograd.grad(expected, parts, direction)
    for ours_grad, expected_grad in zip(*gradients):
        torch.testing.assert_close(ours_grad, expected_grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 31, 32, 33, 70])
def test_causal_blocks_are_a_causal_mask(steps: int):
    parts = heads(steps, steps)
    hidden = torch.ones(steps, steps, dtype=torch.bool).triu(1).expand(3, -1, -1)
    ours, expected = attend_small(*parts, None, True, 0.0), formula(*parts, hidden)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-12)
    gradients = (torch.autograd.grad(y.square().sum(), parts) for y in (ours, expected))
    for ours_grad, expected_grad in zip(*gradients):
        torch.testing.assert_close(ours_grad, expected_grad, rtol=0, atol=1e-11)


@pytest.mark.parametrize("causal", [True, False])
def test_the_gradient_belongs_to_what_was_dropped(causal: bool):
    parts = [x.detach()[:1, :4, :1].clone().requires_grad_() for x in heads(4, 4)]

    def run(*parts: Tensor) -> Tensor:
        torch.manual_seed(3)
        return attend_small(*parts, None, causal, 0.4)

    assert torch.autograd.gradcheck(run, parts)


def test_dropping_keeps_the_mean():
    parts = [x.detach() for x in heads(6, 6)]
    torch.manual_seed(0)
    mean = torch.stack([attend_small(*parts, None, True, 0.3) for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, attend_small(*parts, None, True, 0.0), rtol=0, atol=0.06)
