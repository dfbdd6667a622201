"""Sequences of one clip at different rates → the same number of steps."""

from __future__ import annotations

import torch
from torch import Tensor


def align(x: Tensor, lengths: Tensor, longest: Tensor, steps: int) -> Tensor:
    """Repeat steps so that each clip has as many as its longest sequence.

    Both sequences span the same time: step t of L takes the step that lies at its middle, ⌊(t + ½) T / L⌋. Where T
    and L are equal this is the identity.

    Args:
        x: [B, T', D].
        lengths: LongTensor [B], its T of each clip; 0: the clip has no such sequence, and what comes out of it means
            nothing.
        longest: LongTensor [B], L of each clip, at least 1 and T.
        steps: the largest L.

    Returns:
        [B, steps, D]; what lies behind L means nothing.
    """
    t = torch.arange(steps, device=x.device)[None]
    index = (2 * t + 1) * lengths[:, None] // (2 * longest[:, None])
    index = index.clamp(max=x.shape[1] - 1)
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))
