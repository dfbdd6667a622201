"""Numbers: scores of a clip, and traces over time."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from torch import Tensor

from mmer_fairseq.metrics import moments, sentiment
from mmer_fairseq.metrics.base import MetricSet, Value
from mmer_fairseq.metrics.checks import as_double, check_scores, check_shape, check_values, keep


class ValueMetrics(MetricSet):
    """MAE, MSE, RMSE, Pearson and CCC, over all values of the split that count.

    With several columns each metric is given for each (``ccc_valence``), and their mean without a name
    (``ccc``); a column without any value is left out of the mean. A score with the range [-3, 3] gets the
    sentiment metrics as well.

    Scores and target: [B, N] for a score, [B, T, N] for a trace, whose NaN targets do not count.
    Mask: shape of the target or its leading part; True = does not count.

    Args:
        kind: score or trace.
        labels: column names.
        objective: what the model was trained with; the scores are the values themselves for all of them.
        limits: smallest and largest value of the label.
        eval_matric: leave out values whose target is exactly 0, as the original SSE-FT does for sentiment.
        prefix: see :class:`MetricSet`.
    """

    def __init__(
        self,
        kind: str,
        labels: Sequence[str],
        objective: str,
        *,
        limits: tuple[float, float] | None = None,
        eval_matric: bool = False,
        prefix: str = "",
    ) -> None:
        self.centre = (limits[0] + limits[1]) / 2 if limits else 0.0
        self.eval_matric = eval_matric
        self.sentiment = kind == "score" and sentiment.is_sentiment(limits)
        super().__init__(kind, labels, objective, prefix)

    def predict(self, scores: Tensor) -> Tensor:
        """The scores themselves, float64, of the same shape, padding included."""
        return self._scores(scores)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        columns = len(self.labels)
        shapes: dict[str, tuple[int, ...]] = {key: (columns,) for key in moments.KEYS}
        return {**shapes, **sentiment.shapes(columns)} if self.sentiment else shapes

    def _check(self, scores: Tensor, target: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        scores, target = self._scores(scores), as_double(target)
        check_shape("the target", target, str(list(scores.shape)), target.shape == scores.shape)
        kept = keep(mask, scores.shape)
        if self.kind == "trace":
            kept = kept & ~target.isnan()
        check_scores(scores, kept)
        check_values("the target", ~target.isfinite() & kept, target, "finite numbers", "correct the labels")
        return scores, target, kept & (target != 0) if self.eval_matric else kept

    def _update(self, scores: Tensor, target: Tensor, kept: Tensor) -> dict[str, Tensor]:
        x, y, kept = (part.reshape(-1, len(self.labels)) for part in (scores, target, kept))
        sums = moments.moments(x, y, kept, self.centre)
        return {**sums, **sentiment.sentiment_sums(x, y, kept)} if self.sentiment else sums

    def _values(self, sums: Mapping[str, Tensor]) -> Iterator[Value]:
        each = {
            "mae": moments.mae(sums),
            "mse": moments.mse(sums),
            "rmse": moments.rmse(sums),
            "pearson": moments.pearson(sums),
            "ccc": moments.ccc(sums),
        }
        if self.sentiment:
            each.update(sentiment.sentiment_values(sums, sums["n"]))
        for metric, values in each.items():
            yield Value(metric, values.nanmean().item())
        if len(self.labels) > 1:
            for metric, values in each.items():
                for label, value in zip(self.labels, values.tolist()):
                    yield Value(metric, value, label)

    def _scores(self, scores: Tensor) -> Tensor:
        size, steps = len(self.labels), "T, " if self.kind == "trace" else ""
        fits = scores.dim() == (3 if steps else 2) and scores.shape[-1] == size
        check_shape("the model's output", scores, f"[B, {steps}{size}]", fits)
        return as_double(scores)
