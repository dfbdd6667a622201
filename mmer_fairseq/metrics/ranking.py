"""The area under the ROC curve, which sums over batches cannot give: it needs all scores of a split."""

from __future__ import annotations

import torch
from torch import Tensor


def auc(scores: Tensor, wanted: Tensor) -> Tensor:
    """Share of the pairs of a yes and a no clip in which the yes clip has the higher score; ties count half.

    Args:
        scores: float64 [M, N], of any scale: only their order counts.
        wanted: BoolTensor [M, N], yes or no.

    Returns:
        float64 [N]; NaN for a column without a yes or without a no. As scikit-learn's ``roc_auc_score``.

    Source: Hanley and McNeil, Radiology 143, 1982 (the Wilcoxon statistic).
    """
    return torch.stack([_column(x, y) for x, y in zip(scores.unbind(1), wanted.unbind(1))])


def _column(x: Tensor, yes: Tensor) -> Tensor:
    _, place, times = torch.unique(x, return_inverse=True, return_counts=True)
    rank = times.cumsum(0).double() - (times.double() - 1) / 2  # the mean rank of equal scores, from 1
    positives = yes.double().sum()
    pairs = positives * (len(yes) - positives)
    return (rank[place][yes].sum() - positives * (positives + 1) / 2) / pairs  # 0/0 is NaN
