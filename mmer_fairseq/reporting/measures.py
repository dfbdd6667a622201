"""All metrics of a system as functions of how much each clip counts: what resampling needs.

A bootstrap sample is a weight for each clip, how often it was drawn; leaving a clip out is a weight of 0. The metrics
are those of :mod:`mmer_fairseq.metrics`, from the same sums: with weights of 1 they are what ``fairseq-validate`` logs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.metrics import confusion as table
from mmer_fairseq.metrics import moments, sentiment
from mmer_fairseq.reporting.scored import Scored

#: Of a metric: what it lies between, and so on which scale it is nearly normal.
SHARE, CORRELATION, ERROR = "share", "correlation", "error"

TITLES = {
    "accuracy": "accuracy",
    "uar": "UAR",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "weighted_accuracy": "weighted accuracy",
    "exact_match": "exact match",
    "mae": "MAE",
    "rmse": "RMSE",
    "pearson": "Pearson",
    "ccc": "CCC",
    "acc7": "Acc-7",
    "acc5": "Acc-5",
    "acc2": "Acc-2",
    "f1_2": "F1 of Acc-2",
    "acc2_nonneg": "Acc-2 (≥ 0)",
    "f1_2_nonneg": "F1 of Acc-2 (≥ 0)",
}
#: Those that breakdowns show; the first decides which system leads.
HEADLINES = {
    "classes": ("uar", "accuracy", "weighted_f1"),
    "multilabel": ("f1", "weighted_accuracy", "accuracy"),
    "score": ("ccc", "pearson", "rmse"),
    "trace": ("ccc", "pearson", "rmse"),
}
_SCALES = {"mae": ERROR, "rmse": ERROR, "pearson": CORRELATION, "ccc": CORRELATION}
#: Weights held at once.
CELLS = 4_000_000


@dataclass(frozen=True)
class Measure:
    """One number of a system.

    Attributes:
        metric: its name in logs.
        label: the label that it is about; '': all of them.
        support: clips that it is about.
    """

    metric: str
    label: str
    support: int

    @property
    def scale(self) -> str:
        return _SCALES.get(self.metric, SHARE)

    @property
    def higher_is_better(self) -> bool:
        return self.scale != ERROR


class Statistic:
    """Weights of the clips [R, n] → metrics [R, K], float64.

    Attributes:
        measures: what the K numbers are.
        clips: n.
    """

    def __init__(
        self, measures: Sequence[Measure], clips: int, values: Callable[[Tensor], list[Tensor]]
    ) -> None:
        self.measures, self.clips, self._values = tuple(measures), clips, values

    def __call__(self, weights: Tensor) -> Tensor:
        step = max(1, CELLS // max(1, self.clips))
        return torch.cat([torch.stack(self._values(part), dim=-1) for part in weights.split(step)])

    def point(self) -> Tensor:
        """Every clip once, [K]."""
        return self(torch.ones(1, self.clips, dtype=torch.float64))[0]


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean over the seeds of a system, whose clips are the same."""

    def values(weights: Tensor) -> list[Tensor]:
        return list(torch.stack([each(weights) for each in statistics]).mean(dim=0).unbind(-1))

    return Statistic(statistics[0].measures, statistics[0].clips, values)


def statistic(scored: Scored, limits: tuple[float, float] | None = None) -> Statistic:
    """All metrics of a predictions file.

    Args:
        scored: the file.
        limits: range of the labels, if known: scores from -3 to 3 get the metrics of sentiment, too.
    """
    if scored.kind == "classes":
        return _classes(scored)
    return _multilabel(scored) if scored.kind == "multilabel" else _numbers(scored, limits)


def _classes(scored: Scored) -> Statistic:
    size, names = len(scored.names), scored.names
    target = scored.target[:, 0].long()
    pairs = target * size + scored.prediction[:, 0].long()
    cells = torch.nn.functional.one_hot(pairs, size * size).double()
    wanted = target[:, None] == torch.arange(size)
    n, support = len(target), wanted.sum(dim=0).tolist()

    def values(weights: Tensor) -> list[Tensor]:
        counts = (weights @ cells).reshape(-1, size, size)
        areas = weighted_auc(scored.scores, wanted, weights)
        found = [table.accuracy(counts), table.uar(counts), table.weighted_f1(counts), table.macro_f1(counts)]
        found.append(areas.nanmean(dim=-1))
        for each in (table.recall(counts), table.precision(counts), table.f1(counts), areas):
            found += each.unbind(-1)
        return found

    measures = [Measure(name, "", n) for name in ("accuracy", "uar", "weighted_f1", "macro_f1", "auc")]
    measures += [
        Measure(metric, name, support[i])
        for metric in ("recall", "precision", "f1", "auc")
        for i, name in enumerate(names)
    ]
    return Statistic(measures, n, values)


def _multilabel(scored: Scored) -> Statistic:
    wanted, decided = scored.target > 0, scored.prediction > 0
    n, size = wanted.shape
    both = torch.stack([wanted == t for t in (False, True)], -1)[..., :, None]
    both = both & torch.stack([decided == p for p in (False, True)], -1)[..., None, :]
    cells = both.double().reshape(n, size * 4)
    exact = (wanted == decided).all(dim=1).double()
    support = wanted.sum(dim=0).tolist()
    kinds = ("accuracy", "f1", "weighted_f1", "weighted_accuracy", "recall", "precision")

    def values(weights: Tensor) -> list[Tensor]:
        counts = (weights @ cells).reshape(-1, size, 2, 2)
        each = [
            table.accuracy(counts),
            table.f1(counts)[..., 1],
            table.weighted_f1(counts),
            table.uar(counts),
            table.recall(counts)[..., 1],
            table.precision(counts)[..., 1],
        ]
        areas = weighted_auc(scored.scores, wanted, weights)
        found = [part.mean(dim=-1) for part in each]
        found += [weights @ exact / weights.sum(dim=1), areas.nanmean(dim=-1)]
        for part in (*each, areas):
            found += part.unbind(-1)
        return found

    measures = [Measure(name, "", n) for name in (*kinds, "exact_match", "auc")]
    measures += [
        Measure(metric, name, support[i]) for metric in (*kinds, "auc") for i, name in enumerate(scored.names)
    ]
    return Statistic(measures, n, values)


def _numbers(scored: Scored, limits: tuple[float, float] | None) -> Statistic:
    n, size = len(scored.ids), len(scored.names)
    kept = ~scored.target.isnan()
    known = scored.target.nan_to_num()
    with_signs = scored.kind == "score" and sentiment.is_sentiment(limits)
    centre = (limits[0] + limits[1]) / 2 if limits else 0.0
    # each number a column of its own, so that nothing is summed yet; then a clip's rows are
    flat = scored.prediction.reshape(1, -1), known.reshape(1, -1), kept.reshape(1, -1)
    sums_of = moments.moments(*flat, centre)
    if with_signs:
        sums_of.update(sentiment.sentiment_sums(*flat))
    parts = {
        key: torch.zeros(n, size, *value.shape[1:], dtype=torch.float64).index_add(
            0, scored.clip, value.reshape(len(kept), size, *value.shape[1:])
        )
        for key, value in sums_of.items()
    }
    metrics = ["ccc", "pearson", "rmse", "mae"]
    metrics += ["acc7", "acc5", "acc2", "f1_2", "acc2_nonneg", "f1_2_nonneg"] if with_signs else []

    def values(weights: Tensor) -> list[Tensor]:
        sums = {key: torch.tensordot(weights, part, dims=1) for key, part in parts.items()}
        each = [getattr(moments, name)(sums) for name in metrics[:4]]
        if with_signs:
            extra = sentiment.sentiment_values(sums, sums["n"])
            each += [extra[name] for name in metrics[4:]]
        found = [part.nanmean(dim=-1) for part in each]
        if size > 1:
            for part in each:
                found += part.unbind(-1)
        return found

    measures = [Measure(name, "", n) for name in metrics]
    if size > 1:
        measures += [Measure(name, column, n) for name in metrics for column in scored.names]
    return Statistic(measures, n, values)


def weighted_auc(scores: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """AUC of each label, clips counting as often as their weight.

    Args:
        scores: float64 [n, N].
        wanted: BoolTensor [n, N].
        weights: float64 [R, n].

    Returns:
        [R, N]; NaN where there is no yes or no no.
    """
    areas = []
    for column, yes in zip(scores.unbind(1), wanted.unbind(1)):
        known, place = torch.unique(column, return_inverse=True)
        empty = torch.zeros(len(weights), len(known), dtype=weights.dtype)
        positive = empty.index_add(1, place, weights * yes)
        negative = empty.index_add(1, place, weights * ~yes)
        below = negative.cumsum(dim=1) - negative / 2  # ties count half
        pairs = positive.sum(dim=1) * negative.sum(dim=1)
        areas.append((positive * below).sum(dim=1) / pairs)
    return torch.stack(areas, dim=-1)
