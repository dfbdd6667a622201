"""Smoothing of predicted traces: a moving average for each dimension, its width chosen on the validation split."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmer_fairseq.metrics import moments

#: Widths that are tried, in steps of the trace.
WIDTHS = (1, 3, 5, 9, 15, 25, 41, 65, 101, 161, 257)


def smooth(trace: Tensor, widths: Sequence[int]) -> Tensor:
    """Average each dimension over a window around each step.

    At the ends the average is over what is there: nothing is pulled towards 0, as zero padding does.

    Args:
        trace: [T, N], finite.
        widths: N odd numbers of steps; 1 changes nothing.

    Returns:
        [T, N].
    """
    steps = torch.arange(len(trace))
    sums = torch.cat([torch.zeros_like(trace[:1]), trace.cumsum(dim=0)])
    columns = []
    for column, width in enumerate(widths):
        low, high = (steps - width // 2).clamp(min=0), (steps + width // 2 + 1).clamp(max=len(trace))
        columns.append((sums[high, column] - sums[low, column]) / (high - low))
    result = torch.stack(columns, dim=1)
    return torch.where(torch.tensor([width == 1 for width in widths]), trace, result)


def choose_widths(
    predictions: Sequence[Tensor], targets: Sequence[Tensor], widths: Sequence[int] = WIDTHS
) -> tuple[int, ...]:
    """The width of each dimension with the highest CCC over all clips; of equal ones the smallest.

    Args:
        predictions: a clip's trace each, float64 [T, N].
        targets: likewise, NaN where there is no label.
        widths: to choose from, rising.
    """
    size = predictions[0].shape[1]
    found = []
    for width in widths:
        total: dict[str, Tensor] = {}
        for prediction, target in zip(predictions, targets):
            sums = moments.moments(smooth(prediction, [width] * size), target, ~target.isnan())
            total = {key: total.get(key, 0) + value for key, value in sums.items()}
        found.append(moments.ccc(total).nan_to_num(-1.0))
    return tuple(widths[k] for k in torch.stack(found).argmax(dim=0).tolist())
