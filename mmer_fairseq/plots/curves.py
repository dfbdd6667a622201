"""How loss and metrics went from epoch to epoch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Mapping

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.canvas import BLUE, ORANGE, tidy
from mmer_fairseq.plots.history import History, lower_is_better

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNITS = {"loss": "loss (÷ ln 2)"}


def draw_curve(axes: Axes, history: History, metric: str) -> None:
    """Draw one metric on both splits over the epochs, and mark its best validation epoch.

    Args:
        axes: to draw on.
        history: of the run.
        metric: as logged, without ``train_`` and ``valid_``.

    Raises:
        InputError: the run has not logged that metric.
    """
    from matplotlib.ticker import MaxNLocator

    train, valid = history.train.get(metric, {}), history.valid.get(metric, {})
    if not train and not valid:
        raise InputError.of(
            where="--metric",
            expected="a metric of the log: " + ", ".join(sorted({*history.train, *history.valid})),
            found=repr(metric),
            remedy="name one of those",
        )
    _line(axes, train, "train", ORANGE, "--")
    _line(axes, valid, "valid", BLUE, "-")
    finite = {epoch: value for epoch, value in valid.items() if math.isfinite(value)}
    if finite:
        best = (min if lower_is_better(metric) else max)(sorted(finite), key=finite.__getitem__)
        axes.plot(
            [best], [finite[best]], marker="o", markersize=9, mfc="none", mec=BLUE, mew=1.8, linestyle="none"
        )
        axes.set_title(f"{metric}: best {finite[best]:.3f} on valid, epoch {best}")
    else:
        axes.set_title(metric)
    axes.set_xlabel("epoch")
    axes.set_ylabel(_UNITS.get(metric, metric))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(frameon=False)
    tidy(axes)


def _line(axes: Axes, series: Mapping[int, float], name: str, colour: str, style: str) -> None:
    if series:
        epochs = sorted(series)
        marker = "o" if len(epochs) < 3 else None  # too few for a line
        axes.plot(
            epochs,
            [series[epoch] for epoch in epochs],
            style,
            color=colour,
            label=name,
            linewidth=1.8,
            marker=marker,
            markersize=4,
        )
