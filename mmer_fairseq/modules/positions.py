"""Positions of steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(steps: int, dim: int) -> Tensor:
    """The positions 1 … T, each as sines then cosines of D // 2 frequencies.

    Source: Vaswani et al., "Attention Is All You Need", 2017, in the layout of tensor2tensor and fairseq: w_i =
    exp(-i ln(10000) / (D // 2 - 1)), and a last zero where D is odd.

    Args:
        steps: T.
        dim: D, 4 or more.

    Returns:
        FloatTensor [T, D], computed in single precision as everywhere in this field.
    """
    half = dim // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000) / (half - 1)))
    angles = torch.arange(1, steps + 1, dtype=torch.float32)[:, None] * frequencies[None]
    columns = [angles.sin(), angles.cos(), torch.zeros(steps, dim % 2)]
    return torch.cat(columns, dim=1)
