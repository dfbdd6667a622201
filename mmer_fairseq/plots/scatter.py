"""Predicted against true numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from mmer_fairseq.plots.canvas import BLUE, GREY, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_scatter(axes: Axes, target: Sequence[float], prediction: Sequence[float], *, title: str) -> None:
    """Draw one point for each clip, and the line on which a right prediction lies.

    Args:
        axes: to draw on.
        target: one number for each clip or step.
        prediction: likewise.
        title: of the picture.
    """
    values = [*target, *prediction] or [0.0]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=GREY, linestyle="--", linewidth=1.2, label="prediction = target")
    alpha = 0.8 if len(target) < 100 else 0.4 if len(target) < 1000 else 0.1
    axes.scatter(target, prediction, s=20, color=BLUE, alpha=alpha, edgecolors="none")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")
    axes.set_title(title)
    axes.legend(frameon=False, loc="upper left")
    tidy(axes)
