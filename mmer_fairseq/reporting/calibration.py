"""Whether a probability of 0.8 is right eight times out of ten."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.reporting.scored import Scored

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Decisions whose probability lies in one tenth.

    Attributes:
        count: how many.
        stated: their mean probability.
        right: share of them that is right.
    """

    count: int
    stated: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """A reliability curve.

    Attributes:
        bins: from low to high probability, those that hold something.
        error: expected calibration error, mean distance between what is stated and what is right.
    """

    bins: tuple[Bin, ...]
    error: float


def calibration(runs: list[Scored]) -> Calibration | None:
    """Of a system with one or several seeds, whose decisions are put together; None where scores are no probabilities.

    Classes: the probability of the class that was decided on, and whether it is the right one. Multilabel: the
    probability of each label, and whether the label holds.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (10 bins of equal width).
    """
    if runs[0].kind not in ("classes", "multilabel"):
        return None
    stated, right = (torch.cat(side) for side in zip(*map(_decisions, runs)))
    if bool(((stated < 0) | (stated > 1)).any()):
        return None
    return reliability(stated, right)


def reliability(stated: Tensor, right: Tensor, bins: int = BINS) -> Calibration:
    """Bins of equal width.

    Args:
        stated: float64 [M], 0 … 1.
        right: BoolTensor [M].
        bins: how many.
    """
    place = (stated * bins).long().clamp(max=bins - 1)
    found = []
    for k in range(bins):
        here = place == k
        if here.any():
            found.append(Bin(int(here.sum()), float(stated[here].mean()), float(right[here].double().mean())))
    error = sum(each.count * abs(each.stated - each.right) for each in found) / len(stated)
    return Calibration(tuple(found), error)


def _decisions(scored: Scored) -> tuple[Tensor, Tensor]:
    if scored.kind == "multilabel":
        return scored.scores.flatten(), (scored.target > 0).flatten()
    decided = scored.prediction[:, 0].long()
    return scored.scores.gather(1, decided[:, None])[:, 0], decided == scored.target[:, 0].long()
