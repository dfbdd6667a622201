"""One picture of one run: its learning curves beside its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mmer_fairseq import metrics
from mmer_fairseq.metrics.confusion import binary_confusion, confusion
from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.confusion import draw_confusion
from mmer_fairseq.plots.curves import draw_curve
from mmer_fairseq.plots.history import History
from mmer_fairseq.plots.predictions import Predictions
from mmer_fairseq.plots.scatter import draw_scatter

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_SHOWN = {
    "classes": {"accuracy": "accuracy", "uar": "UAR", "weighted_f1": "weighted F1"},
    "multilabel": {"accuracy": "accuracy", "f1": "F1", "weighted_accuracy": "weighted accuracy"},
    "score": {"mae": "MAE", "pearson": "Pearson", "ccc": "CCC"},
    "trace": {"rmse": "RMSE", "pearson": "Pearson", "ccc": "CCC"},
}


def curves_figure(history: History, metric: str | None = None) -> Figure:
    """Learning curves: loss and one metric.

    Args:
        history: of the run.
        metric: name as logged; None: the run's main one.

    Raises:
        InputError: the run has not logged that metric.
    """
    names = _curves(history, metric)
    figure = new_figure(5.5 * len(names), 4)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        draw_curve(axes, history, name)
    return figure


def predictions_figure(predictions: Predictions) -> Figure:
    """Confusion table of classes or labels, or target against prediction of scores."""
    figure = new_figure(*_size(predictions))
    _draw(figure, predictions)
    return figure


def run_figure(history: History, predictions: Predictions, metric: str | None = None) -> Figure:
    """Learning curves on the left, predictions on the right.

    Args:
        history: of the run.
        predictions: of the run's model.
        metric: name as logged; None: the run's main one.

    Raises:
        InputError: the run has not logged that metric.
    """
    names = _curves(history, metric)
    width, height = _size(predictions)
    height = max(height, 3.2 * len(names))
    figure = new_figure(5.5 + width, height)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(5.5, width))[0]
    for axes, name in zip(left.subplots(len(names), 1, squeeze=False)[:, 0], names):
        draw_curve(axes, history, name)
    _draw(right, predictions)
    return figure


def _curves(history: History, metric: str | None) -> list[str]:
    metric = metric or history.main_metric()
    return ["loss"] if metric in (None, "loss") else ["loss", str(metric)]


def _size(predictions: Predictions) -> tuple[float, float]:
    """Width and height in inches."""
    count = len(predictions.names)
    if predictions.kind in ("score", "trace"):
        return 5.0 * min(count, 3), 5.0 * -(-count // 3)
    rows, columns = (count, count) if predictions.kind == "classes" else (count, 4)
    return max(6.5, 3 + 0.75 * min(columns, 14)), max(4.5, 2 + 0.6 * min(rows, 14))


def _draw(figure: Figure | SubFigure, predictions: Predictions) -> None:
    names = predictions.names
    target, decided = (
        torch.tensor(side, dtype=torch.float64) for side in (predictions.target, predictions.prediction)
    )
    split = f" ({', '.join(predictions.splits)})" if predictions.splits else ""
    steps = f", {len(target)} steps" if predictions.kind == "trace" else ""
    title = f"{predictions.clips} clips{split}{steps}\n{_summary(predictions, target, decided)}"
    if predictions.kind == "classes":
        counts = confusion(target[:, 0].long(), decided[:, 0].long(), len(names))
        rows = [f"{name} ({int(n)})" for name, n in zip(names, counts.sum(dim=1).tolist())]
        words = {"row_label": "target (clips)", "column_label": "prediction"}
        draw_confusion(figure.subplots(), counts, rows, names, title=title, **words)
    elif predictions.kind == "multilabel":
        counts = binary_confusion(target > 0, decided > 0, torch.ones_like(target, dtype=torch.bool))
        # Found and missed of those that have the label, falsely found and rightly not of the others.
        cells = torch.stack([counts[:, 1, 1], counts[:, 1, 0], counts[:, 0, 1], counts[:, 0, 0]], dim=1)
        rows = [f"{name} ({int(n)})" for name, n in zip(names, counts[:, 1].sum(dim=1).tolist())]
        words = {"row_label": "label (clips that have it)", "column_label": "decision"}
        columns = ("found", "missed", "false alarm", "rightly absent")
        draw_confusion(figure.subplots(), cells, rows, columns, title=title, **words)
    else:
        if len(names) > 1:
            figure.suptitle(title)
        columns_shown = min(len(names), 3)
        grid = figure.subplots(-(-len(names) // 3), columns_shown, squeeze=False).flat
        for k, axes in enumerate(grid):
            if k < len(names):
                known = ~target[:, k].isnan()
                name = names[k] if len(names) > 1 else f"{names[0]}, {title}"
                draw_scatter(axes, target[known, k].tolist(), decided[known, k].tolist(), title=name)
            else:
                axes.set_visible(False)


def _summary(predictions: Predictions, target: Tensor, decided: Tensor) -> str:
    """The main metrics in words, computed from the decisions."""
    kind, names = predictions.kind, predictions.names
    if kind == "classes":
        metric = metrics.build(kind, names, "softmax")
        scores = torch.nn.functional.one_hot(decided[:, 0].long(), len(names)).double()
        found = metric.compute(metric.sums(scores, target[:, 0].long()))
    else:
        metric = metrics.build(kind, names, metrics.OBJECTIVES[kind][0])
        scores = decided - 0.5 if kind == "multilabel" else decided
        batch = (scores[None], target[None]) if kind == "trace" else (scores, target)
        found = metric.compute(metric.sums(*batch))
    return ", ".join(f"{shown} {found[name]:.3f}" for name, shown in _SHOWN[kind].items())
