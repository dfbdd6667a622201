"""Dropout that does not dominate a training step on the CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_STEPS = 1 << 16


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Zero elements with probability ``p`` and scale the others so that the mean stays.

    On the CPU, torch draws each element's decision by itself, which costs more than the matrix products around
    it. Here one 64-bit number decides four elements, so ``p`` is met to 1/65536; the scale matches what is drawn.

    Args:
        x: of any shape.
        p: 0 to 1.
        training: False: return ``x`` as it is.
    """
    if not training or p == 0.0 or x.device.type != "cpu":
        return F.dropout(x, p, training)
    return x * dropout_factors(x, p)


def dropout_factors(x: Tensor, p: float) -> Tensor:
    """What :func:`dropout` multiplies a tensor on the CPU with: 0, or the scale of what is kept."""
    dropped = round(p * _STEPS)
    if dropped >= _STEPS:
        return torch.zeros_like(x)
    numbers = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    kept = numbers.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - _STEPS // 2
    return kept.to(x.dtype).mul_(_STEPS / (_STEPS - dropped))


class Dropout(nn.Module):
    """:func:`dropout` as a layer."""

    def __init__(self, p: float) -> None:
        """Keep the probability, 0 to 1."""
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape → the same shape."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
