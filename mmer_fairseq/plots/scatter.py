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
        target: one number for each clip.
        prediction: likewise.
        title: of the picture.
    """
    low, high = min(*target, *prediction), max(*target, *prediction)
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=GREY, linestyle="--", linewidth=1.2, label="prediction = target")
    alpha = max(0.3, min(0.8, 60 / len(target)))
    axes.scatter(target, prediction, s=20, color=BLUE, alpha=alpha, edgecolors="none", label="clip")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel("target")
    axes.set_ylabel("prediction")
    axes.set_title(title)
    axes.legend(frameon=False, loc="upper left")
    tidy(axes)
