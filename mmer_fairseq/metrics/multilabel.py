"""Any of N labels, each decided by itself."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from mmer_fairseq.metrics import confusion as table
from mmer_fairseq.metrics import thresholds as grid
from mmer_fairseq.metrics.base import MetricSet, Value
from mmer_fairseq.metrics.checks import (
    as_double,
    check_scores,
    check_shape,
    check_values,
    keep,
    label_scores,
)


class MultilabelMetrics(MetricSet):
    """Per label accuracy, recall, precision and F1 of yes, weighted F1, weighted accuracy; means; exact matches.

    Scores: [B, N] logits for bce; [B, 2N] or [B, N, 2] for binary_softmax: no/yes pairs. Target: FloatTensor or
    LongTensor [B, N] of 0 and 1. Mask: [B].

    A label holds where its probability is above its threshold, 0.5 if no other was set. The sums, but for the number
    of exact matches, are the same for all thresholds.

    Attributes:
        thresholds: one a label; see :meth:`set_thresholds`.

    Source: weighted accuracy (TP · N/P + TN) / 2N: Zadeh et al., ACL 2018 (CMU-MOSEI). For a label with no
    positive (or no negative) clip it is the recall of the other side.
    """

    ranks = True

    def __init__(self, labels: Sequence[str], objective: str = "bce", prefix: str = "") -> None:
        self.thresholds: tuple[float, ...] = (grid.HALF,) * len(labels)
        super().__init__("multilabel", labels, objective, prefix)

    def set_thresholds(self, thresholds: Sequence[float]) -> None:
        """Decide at these from now on.

        Args:
            thresholds: for each label 0.05, 0.1 … or 0.95.

        Raises:
            InputError: they are others.
        """
        grid.check_thresholds(tuple(thresholds), len(self.labels))
        self.thresholds = tuple(thresholds)

    def best_thresholds(self, margins: Tensor, wanted: Tensor) -> tuple[float, ...]:
        """The thresholds with the highest F1 of each label over a whole split, whose :meth:`margins` these are."""
        return grid.choose(grid.count(margins, wanted))

    def predict(self, scores: Tensor) -> Tensor:
        """0 or 1 per label, LongTensor [B, N]."""
        scores = label_scores(scores, len(self.labels), pairs=self.objective == "binary_softmax")
        check_scores(scores, torch.ones_like(scores, dtype=torch.bool))
        return grid.decide(self._margins(scores), self.thresholds).long()

    def margins(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds of yes, [B, N], and whether each label holds."""
        scores, target, _ = self._check(scores, target, None)
        return self._margins(scores), target > 0

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"bins": (len(self.labels), 2, grid.BINS), "exact": (1,)}

    def _check(self, scores: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        scores = label_scores(scores, len(self.labels), pairs=self.objective == "binary_softmax")
        target = as_double(target)
        shape = (len(scores), len(self.labels))
        check_shape("the target", target, str(list(shape)), tuple(target.shape) == shape)
        kept = keep(mask, shape[:1])
        check_scores(scores, kept.reshape(-1, *([1] * (scores.dim() - 1))))
        check_values(
            "the target",
            (target != 0) & (target != 1) & kept[:, None],
            target,
            "0 or 1 for each label",
            "check that the labels and the model are of one label space",
        )
        return scores, target, kept

    def _update(self, scores: Tensor, target: Tensor, kept: Tensor) -> dict[str, Tensor]:
        wanted, margins = target[kept] > 0, self._margins(scores[kept])
        return {"bins": grid.count(margins, wanted), "exact": self.exact(margins, wanted)}

    def exact(self, margins: Tensor, wanted: Tensor) -> Tensor:
        """Number of clips whose labels are all right at the present thresholds, float64 [1]; see :meth:`margins`."""
        return (wanted == grid.decide(margins, self.thresholds)).all(dim=1).sum().double()[None]

    def _values(self, sums: Mapping[str, Tensor]) -> Iterator[Value]:
        counts = grid.confusion(sums["bins"], self.thresholds)
        each = {
            "acc": ("accuracy", table.accuracy(counts)),
            "f1": ("f1", table.f1(counts)[:, 1]),
            "wf1": ("weighted_f1", table.weighted_f1(counts)),
            "wa": ("weighted_accuracy", table.uar(counts)),
            "recall": ("recall", table.recall(counts)[:, 1]),
            "precision": ("precision", table.precision(counts)[:, 1]),
        }
        for mean, values in each.values():
            yield Value(mean, values.mean().item())
        yield Value("exact_match", (sums["exact"] / counts[0].sum()).item())
        for metric, (_, values) in each.items():
            for label, value in zip(self.labels, values.tolist()):
                yield Value(metric, value, label)

    def _margins(self, scores: Tensor) -> Tensor:
        return scores if self.objective == "bce" else scores[..., 1] - scores[..., 0]
