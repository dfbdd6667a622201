"""Lengths → masks, in one place. ``True`` means padding, everywhere."""

from __future__ import annotations

import torch
from torch import Tensor


def padding_mask(lengths: Tensor, steps: int) -> Tensor:
    """Mark the padded steps of a batch.

    Args:
        lengths: LongTensor [B], valid steps of each clip (0: the clip has no such modality).
        steps: T, the padded length.

    Returns:
        BoolTensor [B, T]: ``True`` where a step is padding.
    """
    return torch.arange(steps, device=lengths.device)[None, :] >= lengths[:, None]
