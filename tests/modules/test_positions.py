"""Sinusoidal positions."""

from __future__ import annotations

import math

import pytest
import torch

from mmer_fairseq.modules.positions import sinusoids


@pytest.mark.parametrize("dim", [4, 50, 51])
def test_each_number(dim: int):
    table = sinusoids(7, dim)
    half = dim // 2
    assert table.shape == (7, dim)
    for step in range(7):
        for i in range(half):
            angle = (step + 1) * math.exp(-math.log(10000) * i / (half - 1))
            assert float(table[step, i]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(table[step, half + i]) == pytest.approx(math.cos(angle), abs=1e-5)
    assert not table[:, 2 * half :].any()
    assert torch.equal(sinusoids(3, dim), table[:3])
