"""Predicted and true traces over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmer_fairseq.plots.canvas import BLUE, GREY, ORANGE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Points of a line: more cannot be told apart.
_POINTS = 4000


def traces_figure(
    clips: Sequence[tuple[str, float, np.ndarray, np.ndarray]],
    names: Sequence[str],
    *,
    title: str,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """A row a clip, a column a dimension: the labels and what a model predicts for them.

    Args:
        clips: (clip id, steps a second in Hz, prediction [T, N], target [T, N] with NaN where there is no label).
        names: of the N dimensions.
        title: of the picture.
        limits: lowest and highest value of a label (None: as far as the lines go).
    """
    figure = new_figure(6.0 * len(names), 1.0 + 2.1 * len(clips))
    figure.suptitle(title)
    grid = figure.subplots(len(clips), len(names), squeeze=False, sharey="col")
    for row, (clip, rate, prediction, target) in enumerate(clips):
        for column, name in enumerate(names):
            axes = grid[row, column]
            _draw(axes, rate, prediction[:, column], target[:, column])
            axes.set_title(clip, loc="left", fontsize="medium")
            axes.set_ylabel(name)
            axes.margins(x=0.01)
            if limits is not None:
                margin = 0.03 * (limits[1] - limits[0])
                axes.set_ylim(limits[0] - margin, limits[1] + margin)
    for axes in grid[-1]:
        axes.set_xlabel("seconds")
    shown = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(shown.values(), shown.keys(), frameon=False, loc="outside lower center", ncols=3)
    return figure


def _draw(axes: Axes, rate: float, prediction: np.ndarray, target: np.ndarray) -> None:
    every = max(1, len(prediction) // _POINTS)
    seconds = np.arange(0, len(prediction), every) / rate
    axes.plot(seconds, target[::every], color=GREY, linewidth=2.2, label="label")
    axes.plot(seconds, prediction[::every], color=BLUE, linewidth=1.4, label="prediction")
    # a line needs two points: a label between two holes is a dot
    known = ~np.isnan(target)
    alone = known & ~np.append(False, known[:-1]) & ~np.append(known[1:], False)
    for values, color, size in ((np.where(alone, target, np.nan), GREY, 5), (prediction, BLUE, 3)):
        if len(values) == 1 or color == GREY:
            axes.plot(
                np.arange(len(values)) / rate, values, linestyle="", marker="o", markersize=size, color=color
            )
    holes = np.isnan(target[::every])
    if holes.any():
        axes.fill_between(
            seconds, 0, 1, where=holes, transform=axes.get_xaxis_transform(), color=ORANGE, alpha=0.12,
            linewidth=0, label="no label", step="mid",
        )  # fmt: skip
    tidy(axes)
