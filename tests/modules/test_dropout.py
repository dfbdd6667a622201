"""Dropout: how much is dropped, what is kept of the mean, and where it does nothing."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.modules.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_the_share_and_the_scale(p: float, dtype: torch.dtype):
    torch.manual_seed(0)
    y = dropout(torch.ones(501, 401, dtype=dtype), p)
    zeros = float((y == 0).double().mean())
    assert abs(zeros - p) < 4 * (p * (1 - p) / y.numel()) ** 0.5
    kept = y[y != 0].double()
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=5e-3, atol=0)
    assert y.dtype == dtype


def test_elements_are_independent():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(400_000), 0.5) != 0).double() - 0.5
    for distance in (1, 2, 3, 4, 8):
        assert abs(float((kept[distance:] * kept[:-distance]).mean())) < 0.25 * 4 / 400_000**0.5


def test_gradient_is_zero_where_dropped():
    torch.manual_seed(0)
    x = torch.randn(7, 5, requires_grad=True)
    y = dropout(x, 0.5)
    y.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(y == 0, 0.0, 2.0))
    assert 0 < (y == 0).sum() < y.numel()


def test_the_seed_decides():
    x = torch.ones(100)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(dropout(x, 0.5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_nothing_and_everything():
    x = torch.randn(3, 4)
    assert torch.equal(dropout(x, 0.0), x)
    assert torch.equal(dropout(x, 0.5, training=False), x)
    assert dropout(x, 1.0).eq(0).all()
    assert dropout(torch.empty(0, 4), 0.5).shape == (0, 4)
    layer = Dropout(0.5).eval()
    assert torch.equal(layer(x), x)
    assert "p=0.5" in repr(layer)
