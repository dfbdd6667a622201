"""Weights and inputs that follow from names and shapes alone, by a 32-bit integer hash that is the same everywhere.

Reference files made this way hold outputs only. For element i and a phase p: h = 2654435761 i + 40503 p + 1, mixed
(xor-shift 16, times 2246822507, xor-shift 13, times 3266489909, xor-shift 16; all modulo 2^32), and u = h / 2^31 - 1.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from torch import Tensor, nn


def uniform(shape: tuple[int, ...], phase: int) -> Tensor:
    """DoubleTensor of this shape, uniform in [-1, 1)."""
    with np.errstate(over="ignore"):
        h = np.arange(math.prod(shape), dtype=np.uint32) * np.uint32(2654435761)
        h += np.uint32((phase * 40503 + 1) % 2**32)
        for shift, factor in ((16, 2246822507), (13, 3266489909)):
            h ^= h >> np.uint32(shift)
            h *= np.uint32(factor)
        h ^= h >> np.uint32(16)
    return torch.from_numpy(h.astype(np.float64) / 2.0**31 - 1).reshape(shape)


@torch.no_grad()
def fill(module: nn.Module) -> nn.Module:
    """Set each parameter by its name (phase crc32(name) mod 1000003): matrices to sqrt(6 / fan-in) · u, scales to
    1 + u / 10, ``alpha`` to 0.5 + u / 10, others to u / 10; and running means and variances of batch norms."""
    for name, parameter in module.named_parameters():
        u = uniform(tuple(parameter.shape), zlib.crc32(name.encode()) % 1000003)
        if name.endswith("alpha"):
            value = 0.5 + 0.1 * u
        elif name.endswith("weight_g") or (parameter.dim() == 1 and name.endswith("weight")):
            value = 1 + 0.1 * u
        elif parameter.dim() >= 2:
            value = u * math.sqrt(6 / math.prod(parameter.shape[1:]))
        else:
            value = 0.1 * u
        parameter.copy_(value)
    for name, buffer in module.named_buffers():
        u = uniform(tuple(buffer.shape), zlib.crc32(name.encode()) % 1000003) if buffer.dim() else None
        if u is not None and name.endswith("running_mean"):
            buffer.copy_(0.1 * u)
        elif u is not None and name.endswith("running_var"):
            buffer.copy_(1 + 0.5 * u.abs())
    return module


def inputs(shape: tuple[int, ...], k: int) -> Tensor:
    """1.7 · u with phase k."""
    return 1.7 * uniform(shape, k)
