"""Outputs of a model → probabilities or values, and the decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from mmer_fairseq.corpus import LabelSpace
from mmer_fairseq.criterions.predictions import JOIN
from mmer_fairseq.metrics import build


class Scorer:
    """As ``fairseq-validate --save-predictions`` has it (see ``criterions.predictions``).

    Args:
        labels: of the model.
        objective: it was trained with.
        thresholds: of each label, in multilabel; None: 0.5.
    """

    def __init__(self, labels: LabelSpace, objective: str, thresholds: Sequence[float] | None = None) -> None:
        self.labels = labels
        self.objective = objective
        metrics: Any = build(labels.kind, labels.names, objective, range=labels.range)
        if thresholds is not None:
            metrics.set_thresholds(thresholds)
        self._decide = metrics.predict

    def scores(self, logits: Tensor) -> Tensor:
        """[B, C] → float64 [B, N]; of traces, [B, T, N] as it is."""
        logits = logits.detach().cpu().double()
        if self.objective == "binary_softmax":
            return logits.reshape(len(logits), -1, 2).softmax(-1)[..., 1]
        if self.objective == "softmax":
            return logits.softmax(-1)
        return logits.sigmoid() if self.objective == "bce" else logits

    def read(self, logits: Tensor) -> tuple[dict[str, float], str]:
        """Name → score, and the decision, of one clip; logits [C]."""
        scores = self.scores(logits[None])[0]
        named = dict(zip(self.labels.names, scores.tolist()))
        if self.labels.kind in ("score", "trace"):
            return named, JOIN.join(f"{value:.4g}" for value in named.values())
        decision = self._decide(logits.detach().cpu()[None])[0]
        if self.labels.kind == "classes":
            return named, self.labels.names[int(decision)]
        held = [name for name, value in zip(self.labels.names, decision.tolist()) if value > 0.5]
        return named, JOIN.join(held)
