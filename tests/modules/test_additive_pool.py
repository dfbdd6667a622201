"""Additive pooling: softmax by hand, padding, and clips of nothing."""

from __future__ import annotations

import torch

from mmer_fairseq.modules.additive_pool import AdditivePooling
from mmer_fairseq.modules.rows import Rows

LENGTHS = torch.tensor([4, 1, 3])


def layer() -> AdditivePooling:
    torch.manual_seed(0)
    return AdditivePooling(6).double()


@torch.no_grad()
def by_hand(pooling: AdditivePooling, clip: torch.Tensor) -> torch.Tensor:
    key, w = pooling.key, pooling.score.weight[0]
    scores = [float(w @ torch.tanh(key.weight @ h + key.bias)) for h in clip]
    weights = torch.tensor(scores).double().exp()
    return (weights[:, None] * clip).sum(dim=0) / weights.sum()


def test_as_by_hand():
    pooling = layer()
    x = torch.randn(8, 6, dtype=torch.float64)
    found = pooling(x, Rows(LENGTHS))
    for row, clip in zip(found, x.split(LENGTHS.tolist())):
        torch.testing.assert_close(row, by_hand(pooling, clip), rtol=0, atol=1e-6)
    torch.testing.assert_close(found[1], x[4])  # one step is what it is


def test_hidden_steps_are_left_out():
    pooling = layer()
    x = torch.randn(12, 6, dtype=torch.float64)
    hidden = torch.tensor([[False, True, False, True], [True] * 4, [False] * 4])
    found = pooling(x, Rows(torch.tensor([4, 4, 4])), hidden)
    torch.testing.assert_close(found[0], by_hand(pooling, x[[0, 2]]), rtol=0, atol=1e-6)
    torch.testing.assert_close(found[2], by_hand(pooling, x[8:]), rtol=0, atol=1e-6)
    assert not found[1].any()
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in pooling.parameters())


def test_it_starts_with_a_query():
    spread = torch.stack([AdditivePooling(64).key.bias.detach() for _ in range(20)]).std()
    assert 0.4 < float(spread) < 0.8  # a query of N(0, 1) behind a layer: 0.58
