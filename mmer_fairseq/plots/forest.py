"""Scores of several systems with their intervals, one under the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmer_fairseq.plots.canvas import BLUE, GREEN, GREY, ORANGE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", GREY)


def forest_figure(
    panels: Sequence[tuple[str, Sequence[tuple[float, float, float]], Sequence[Sequence[float]]]],
    systems: Sequence[str],
    *,
    title: str,
) -> Figure:
    """One panel a metric, one line a system: a dot, its interval, and a small ring for each seed.

    Args:
        panels: name of a metric; value, low and high of each system (NaN: no interval); values of its seeds.
        systems: their names.
        title: of the whole picture.
    """
    columns = min(len(panels), 2)
    lines = -(-len(panels) // columns)
    longest = 0.09 * max(map(len, systems))
    figure = new_figure(longest + 3.0 * columns, 0.7 + lines * (1.1 + 0.34 * len(systems)))
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        name, values, seeds = panels[place]
        for row, ((value, low, high), each) in enumerate(zip(values, seeds)):
            colour = COLOURS[row % len(COLOURS)]
            if math.isfinite(low):
                axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
            if len(each) > 1:
                axes.plot(each, [row + 0.22] * len(each), "o", color=colour, markersize=4, fillstyle="none")
            axes.plot([value], [row], "o", color=colour, markersize=8)
        axes.set_yticks(range(len(systems)), systems)
        axes.set_ylim(len(systems) - 0.4, -0.6)
        axes.set_title(name, fontsize=10)
        tidy(axes)
        axes.grid(False, axis="y")
    return figure
