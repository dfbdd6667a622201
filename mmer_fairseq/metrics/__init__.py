"""Sums that can be added over batches and machines, and the accuracy, F1, CCC … made from them.

Nothing here knows corpora or fairseq: scores and targets in, numbers out.
"""

from __future__ import annotations

from typing import Sequence

from mmer_fairseq.metrics.base import MetricSet
from mmer_fairseq.metrics.checks import OBJECTIVES, check_objective
from mmer_fairseq.metrics.classes import ClassMetrics
from mmer_fairseq.metrics.multilabel import MultilabelMetrics
from mmer_fairseq.metrics.values import ValueMetrics

__all__ = ["OBJECTIVES", "MetricSet", "build", "check_objective"]


def build(
    kind: str,
    names: Sequence[str],
    objective: str,
    *,
    range: tuple[float, float] | None = None,
    eval_matric: bool = False,
    prefix: str = "",
) -> MetricSet:
    """The metrics of one label space.

    Args:
        kind: of the label space: classes, multilabel, score or trace.
        names: class or column names.
        objective: one of ``OBJECTIVES[kind]``; decides how scores are read.
        range: smallest and largest value of a score or trace; [-3, 3] adds the sentiment metrics to a score.
        eval_matric: leave scores whose target is exactly 0 out of every metric.
        prefix: put in front of every metric's name and every key of the sums.

    Raises:
        InputError: kind, objective and names do not fit together.
    """
    check_objective(kind, objective)
    if kind == "classes":
        return ClassMetrics(names, objective, prefix)
    if kind == "multilabel":
        return MultilabelMetrics(names, objective, prefix)
    limits = None if range is None else (float(range[0]), float(range[1]))
    return ValueMetrics(kind, names, objective, limits=limits, eval_matric=eval_matric, prefix=prefix)
