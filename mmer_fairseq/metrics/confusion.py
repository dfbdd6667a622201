"""Numbers from confusion counts [..., C, C] (row: target, column: prediction).

A table over no clip gives NaN. A class that is in neither target nor prediction does not exist for the
averages, as in scikit-learn: UAR is over the classes in the target (``balanced_accuracy_score``), macro F1
over those in target or prediction (``f1_score(average="macro")``), and 0/0 is 0 (``zero_division=0``).
"""

from __future__ import annotations

import torch
from torch import Tensor


def confusion(target: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Count pairs.

    Args:
        target: LongTensor [B], 0 … classes - 1.
        predicted: LongTensor [B], likewise.
        classes: C.

    Returns:
        float64 [C, C].
    """
    cells = torch.bincount(target * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).double()


def binary_confusion(target: Tensor, predicted: Tensor, kept: Tensor) -> Tensor:
    """Count yes/no pairs per column.

    Args:
        target: BoolTensor [B, N].
        predicted: BoolTensor [B, N].
        kept: BoolTensor [B, N]; what counts.

    Returns:
        float64 [N, 2, 2]; index 1 is yes.
    """
    rows = [
        torch.stack([((target == t) & (predicted == p) & kept).sum(dim=0) for p in (False, True)], dim=-1)
        for t in (False, True)
    ]
    return torch.stack(rows, dim=-2).double()


def accuracy(counts: Tensor) -> Tensor:
    """Share of right decisions, [...]."""
    return _hits(counts).sum(dim=-1) / _total(counts)


def recall(counts: Tensor) -> Tensor:
    """Recall of each class, [..., C]; 0 for one that is not in the target."""
    return _share(_hits(counts), counts.sum(dim=-1)) + _nothing(counts)[..., None]


def precision(counts: Tensor) -> Tensor:
    """Precision of each class, [..., C]; 0 for one that is never predicted."""
    return _share(_hits(counts), counts.sum(dim=-2)) + _nothing(counts)[..., None]


def f1(counts: Tensor) -> Tensor:
    """F1 of each class, [..., C]; 0 for one that is in neither target nor prediction."""
    both = counts.sum(dim=-1) + counts.sum(dim=-2)
    return _share(2 * _hits(counts), both) + _nothing(counts)[..., None]


def uar(counts: Tensor) -> Tensor:
    """Unweighted average recall (balanced accuracy), [...]: the mean over the classes in the target.

    For a yes/no table it is the weighted accuracy (TP · N/P + TN) / 2N of CMU-MOSEI.
    """
    present = counts.sum(dim=-1) > 0
    return (recall(counts) * present).sum(dim=-1) / present.sum(dim=-1)


def macro_f1(counts: Tensor) -> Tensor:
    """Mean F1, [...], over the classes in target or prediction."""
    present = (counts.sum(dim=-1) + counts.sum(dim=-2)) > 0
    return (f1(counts) * present).sum(dim=-1) / present.sum(dim=-1)


def weighted_f1(counts: Tensor) -> Tensor:
    """F1 averaged with the number of clips of each class, [...]."""
    return (f1(counts) * counts.sum(dim=-1)).sum(dim=-1) / _total(counts)


def _hits(counts: Tensor) -> Tensor:
    return counts.diagonal(dim1=-2, dim2=-1)


def _total(counts: Tensor) -> Tensor:
    return counts.sum(dim=(-2, -1))


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=1)  # counts are whole numbers: a smaller one is 0, and so is its part


def _nothing(counts: Tensor) -> Tensor:
    """NaN where the table is empty, 0 elsewhere."""
    return 0 / _total(counts)
