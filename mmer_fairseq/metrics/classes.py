"""One of C classes."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from mmer_fairseq.metrics import confusion as table
from mmer_fairseq.metrics.base import MetricSet, Value
from mmer_fairseq.metrics.checks import (
    check_scores,
    check_shape,
    check_values,
    keep,
    label_scores,
)


class ClassMetrics(MetricSet):
    """Accuracy, UAR, weighted and macro F1; recall, F1 and AUC (against the others) of each class; mean AUC.

    Scores: [B, C] for softmax; [B, 2C] or [B, C, 2] for binary_softmax: a no/yes pair for each class, the
    class with the largest margin of yes over no is the decision. Then accuracy (``acc_NAME``) and weighted
    F1 (``wf1_NAME``) of each class's own yes/no decision are added, and their means.
    Target: LongTensor [B]. Mask: [B].

    Source: yes/no pairs: Siriwardhana et al., IEEE Access 2020 (IEMOCAP).
    """

    ranks = True

    def __init__(self, labels: Sequence[str], objective: str = "softmax", prefix: str = "") -> None:
        super().__init__("classes", labels, objective, prefix)

    def margins(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities, or log-odds of yes, [B, C], and whether a clip is of the class."""
        scores, target, _ = self._check(scores, target, None)
        margins = self._margin(scores)
        if self.objective == "softmax":
            margins = margins.log_softmax(dim=1)
        return margins, target[:, None] == torch.arange(len(self.labels))

    def predict(self, scores: Tensor) -> Tensor:
        """Class index, LongTensor [B]; of equal scores the first."""
        scores = label_scores(scores, len(self.labels), pairs=self.objective == "binary_softmax")
        check_scores(scores, torch.ones_like(scores, dtype=torch.bool))
        return self._margin(scores).argmax(dim=1)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        size = len(self.labels)
        shapes: dict[str, tuple[int, ...]] = {"confusion": (size, size)}
        if self.objective == "binary_softmax":
            shapes["yes_no"] = (size, 2, 2)
        return shapes

    def _check(self, scores: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        scores = label_scores(scores, len(self.labels), pairs=self.objective == "binary_softmax")
        target = target.detach().cpu()
        fits = target.shape == scores.shape[:1] and target.dtype == torch.long
        check_shape("the target", target, f"[{len(scores)}] of int64", fits)
        kept = keep(mask, target.shape)
        check_scores(scores, kept.reshape(-1, *([1] * (scores.dim() - 1))))
        size = len(self.labels)
        check_values(
            "the target",
            ((target < 0) | (target >= size)) & kept,
            target,
            f"class indices from 0 to {size - 1}",
            "check that the labels and the model are of one label space",
        )
        return scores, target, kept

    def _update(self, scores: Tensor, target: Tensor, kept: Tensor) -> dict[str, Tensor]:
        margin, target = self._margin(scores[kept]), target[kept]
        size = len(self.labels)
        sums = {"confusion": table.confusion(target, margin.argmax(dim=1), size)}
        if self.objective == "binary_softmax":
            wanted = target[:, None] == torch.arange(size)
            sums["yes_no"] = table.binary_confusion(wanted, margin > 0, torch.ones_like(wanted))
        return sums

    def _values(self, sums: Mapping[str, Tensor]) -> Iterator[Value]:
        counts = sums["confusion"]
        yield Value("accuracy", table.accuracy(counts).item())
        yield Value("uar", table.uar(counts).item())
        yield Value("weighted_f1", table.weighted_f1(counts).item())
        yield Value("macro_f1", table.macro_f1(counts).item())
        each = {"recall": table.recall(counts), "f1": table.f1(counts)}
        if self.objective == "binary_softmax":
            own = {"acc": table.accuracy(sums["yes_no"]), "wf1": table.weighted_f1(sums["yes_no"])}
            yield Value("binary_accuracy", own["acc"].mean().item())
            yield Value("binary_weighted_f1", own["wf1"].mean().item())
            each.update(own)
        for metric, values in each.items():
            for label, value in zip(self.labels, values.tolist()):
                yield Value(metric, value, label)

    def _margin(self, scores: Tensor) -> Tensor:
        return scores if self.objective == "softmax" else scores[..., 1] - scores[..., 0]
