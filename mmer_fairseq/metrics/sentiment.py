"""What is reported for a sentiment score from -3 to 3 (CMU-MOSI, CMU-MOSEI): Acc-7, Acc-5, and two Acc-2.

Source: Zadeh et al., EMNLP 2017 and ACL 2018. Acc-2 exists in two conventions, which differ by some points:
``acc2_nonneg`` asks for x ≥ 0 against y ≥ 0 over all clips, ``acc2`` for x > 0 against y > 0 over those with
y ≠ 0.
"""

from __future__ import annotations

from typing import Mapping

from torch import Tensor

from mmer_fairseq.metrics import confusion as table

RANGE = (-3.0, 3.0)


def shapes(columns: int) -> dict[str, tuple[int, ...]]:
    """Key → shape of the sums."""
    return {"hits7": (columns,), "hits5": (columns,), "nonneg": (columns, 2, 2), "sign": (columns, 2, 2)}


def sentiment_sums(x: Tensor, y: Tensor, kept: Tensor) -> dict[str, Tensor]:
    """Count one batch.

    Args:
        x: float64 predictions [M, N].
        y: float64 targets [M, N].
        kept: BoolTensor [M, N]; what counts.

    Returns:
        hits after rounding to 7 and to 5 steps (half to even, as NumPy), and yes/no tables of both signs.
    """

    def hits(limit: float) -> Tensor:
        same = x.clamp(-limit, limit).round() == y.clamp(-limit, limit).round()
        return (same & kept).sum(dim=0).double()

    return {
        "hits7": hits(3),
        "hits5": hits(2),
        "nonneg": table.binary_confusion(y >= 0, x >= 0, kept),
        "sign": table.binary_confusion(y > 0, x > 0, kept & (y != 0)),
    }


def sentiment_values(sums: Mapping[str, Tensor], n: Tensor) -> dict[str, Tensor]:
    """Metric → value of each column [N], from the sums and the number of clips [N]."""
    return {
        "acc7": sums["hits7"] / n,
        "acc5": sums["hits5"] / n,
        "acc2": table.accuracy(sums["sign"]),
        "f1_2": table.weighted_f1(sums["sign"]),
        "acc2_nonneg": table.accuracy(sums["nonneg"]),
        "f1_2_nonneg": table.weighted_f1(sums["nonneg"]),
    }


def is_sentiment(limits: tuple[float, float] | None) -> bool:
    """Whether a label's range is that of the sentiment corpora."""
    return limits == RANGE
