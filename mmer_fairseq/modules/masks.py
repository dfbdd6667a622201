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


def causal_between(queries: Tensor, memory: Tensor, steps: int, memory_steps: int) -> Tensor:
    """Hide what lies ahead in another sequence that spans the same time at another rate.

    Step j of T begins at j / T of the clip, query i of Q ends at (i + 1) / Q: the query sees j if that is earlier.
    With equal lengths this is j <= i. The first step is always seen, and the last query sees all.

    Args:
        queries: LongTensor [B], valid steps of the queries, 1 or more.
        memory: LongTensor [B], valid steps of the other sequence, 1 or more.
        steps: Q, padded length of the queries.
        memory_steps: T, padded length of the other sequence.

    Returns:
        BoolTensor [B, Q, T]: ``True`` where a step is not seen; padded steps never are.
    """
    i = torch.arange(1, steps + 1, device=queries.device)[None, :, None]
    j = torch.arange(memory_steps, device=queries.device)[None, None, :]
    ahead = j * queries[:, None, None] >= i * memory[:, None, None]
    return ahead | (j >= memory[:, None, None])
