"""Any of N labels, each decided by itself."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from mmer_fairseq.metrics import confusion as table
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
    """Per label accuracy, F1 of yes, weighted F1 and weighted accuracy; their means; share of exact matches.

    Scores: [B, N] logits for bce (yes above 0, that is above a probability of 0.5); [B, 2N] or [B, N, 2] for
    binary_softmax: no/yes pairs. Target: FloatTensor or LongTensor [B, N] of 0 and 1. Mask: [B].

    Source: weighted accuracy (TP · N/P + TN) / 2N: Zadeh et al., ACL 2018 (CMU-MOSEI). For a label with no
    positive (or no negative) clip it is the recall of the other side.
    """

    def __init__(self, labels: Sequence[str], objective: str = "bce", prefix: str = "") -> None:
        super().__init__("multilabel", labels, objective, prefix)

    def predict(self, scores: Tensor) -> Tensor:
        """0 or 1 per label, LongTensor [B, N]."""
        scores = label_scores(scores, len(self.labels), pairs=self.objective == "binary_softmax")
        check_scores(scores, torch.ones_like(scores, dtype=torch.bool))
        return self._decide(scores).long()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {"yes_no": (len(self.labels), 2, 2), "exact": (1,)}

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
        wanted, decided = target[kept] > 0, self._decide(scores[kept])
        return {
            "yes_no": table.binary_confusion(wanted, decided, torch.ones_like(wanted)),
            "exact": (wanted == decided).all(dim=1).sum().double()[None],
        }

    def _values(self, sums: Mapping[str, Tensor]) -> Iterator[Value]:
        counts = sums["yes_no"]
        each = {
            "acc": ("accuracy", table.accuracy(counts)),
            "f1": ("f1", table.f1(counts)[:, 1]),
            "wf1": ("weighted_f1", table.weighted_f1(counts)),
            "wa": ("weighted_accuracy", table.uar(counts)),
        }
        for mean, values in each.values():
            yield Value(mean, values.mean().item())
        yield Value("exact_match", (sums["exact"] / counts[0].sum()).item())
        for metric, (_, values) in each.items():
            for label, value in zip(self.labels, values.tolist()):
                yield Value(metric, value, label)

    def _decide(self, scores: Tensor) -> Tensor:
        return scores > 0 if self.objective == "bce" else scores[..., 1] > scores[..., 0]
