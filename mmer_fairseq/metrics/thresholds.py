"""Yes/no decisions at one of 19 thresholds, from counts that can be added over batches and machines.

A clip is yes where its probability is above the threshold. Margins are what a probability is the sigmoid of: comparing
them to the logit of the threshold is the same, exact near 0 and 1, and at 0.5 a comparison with 0.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import confusion as table

#: Source: Dai et al., NAACL 2021 (MME2E): 0.05, 0.1 … 0.95.
GRID = tuple(step / 20 for step in range(1, 20))
HALF = 0.5
BINS = len(GRID) + 1

_CUTS = torch.tensor([math.log(t / (1 - t)) for t in GRID], dtype=torch.float64)


def check_thresholds(thresholds: tuple[float, ...], labels: int) -> None:
    """Refuse thresholds that are not one of ``GRID`` for each label.

    Raises:
        InputError: there are too few, too many or others.
    """
    if len(thresholds) != labels or not set(thresholds) <= set(GRID):
        raise InputError.of(
            where="thresholds",
            expected=f"{labels} numbers out of 0.05, 0.1 … 0.95, one for each label",
            found=", ".join(map(str, thresholds)) or "none",
            remedy="take another checkpoint, or decide at 0.5 with --thresholds 0.5",
        )


def decide(margins: Tensor, thresholds: tuple[float, ...]) -> Tensor:
    """Whether each label holds.

    Args:
        margins: float64 [B, N].
        thresholds: N of ``GRID``.

    Returns:
        BoolTensor [B, N].
    """
    return margins > _CUTS[_places(thresholds)]


def count(margins: Tensor, wanted: Tensor) -> Tensor:
    """Count clips between the thresholds.

    Args:
        margins: float64 [B, N].
        wanted: BoolTensor [B, N].

    Returns:
        float64 [N, 2, 20]: label; no or yes in the target; number of thresholds below the probability.
    """
    labels = margins.shape[1]
    above = torch.bucketize(margins, _CUTS)
    cell = (torch.arange(labels) * 2 + wanted.long()) * BINS + above
    return torch.bincount(cell.flatten(), minlength=labels * 2 * BINS).reshape(labels, 2, BINS).double()


def confusion(bins: Tensor, thresholds: tuple[float, ...]) -> Tensor:
    """Yes/no tables at one threshold a label.

    Args:
        bins: [N, 2, 20], see :func:`count`.
        thresholds: N of ``GRID``.

    Returns:
        float64 [N, 2, 2] as of :func:`mmer_fairseq.metrics.confusion.binary_confusion`.
    """
    return _all(bins)[_places(thresholds), torch.arange(len(bins))]


def choose(bins: Tensor) -> tuple[float, ...]:
    """The threshold with the highest F1 of yes for each label; of equal ones the lowest.

    Args:
        bins: [N, 2, 20] of the split to choose on, see :func:`count`.

    Returns:
        N of ``GRID``; 0.5 for a label that no clip has, whose F1 is 0 at all of them.

    Source: the code of Dai et al., NAACL 2021 (MME2E). There a label that no clip has gets 0.05.
    """
    best = table.f1(_all(bins))[..., 1].argmax(dim=0).tolist()
    known = (bins[:, 1].sum(dim=-1) > 0).tolist()
    return tuple(GRID[place] if some else HALF for place, some in zip(best, known))


def _all(bins: Tensor) -> Tensor:
    """[19, N, 2, 2]: the table of every label at every threshold."""
    total = bins.sum(dim=-1)
    no = bins.cumsum(dim=-1)[..., :-1].permute(2, 0, 1)  # at threshold k: at most k thresholds below
    return torch.stack([no, total - no], dim=-1)


def _places(thresholds: tuple[float, ...]) -> Tensor:
    return torch.tensor([GRID.index(threshold) for threshold in thresholds])
