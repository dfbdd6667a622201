"""How often decisions of a stated probability are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmer_fairseq.plots.canvas import BLUE, GREY, ORANGE, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_reliability(
    axes: Axes, bins: Sequence[tuple[float, float, int]], *, title: str, stated: str, right: str
) -> None:
    """Draw the curve, with a dot the larger the more decisions it stands for.

    Args:
        axes: to draw on.
        bins: mean stated probability, share that is right, number of decisions.
        title: of the picture.
        stated: label of the horizontal axis.
        right: label of the vertical axis.
    """
    total = sum(count for _, _, count in bins) or 1
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    for probability, share, _ in bins:
        axes.plot([probability, probability], [probability, share], color=ORANGE, linewidth=1.5, alpha=0.6)
    axes.plot([b[0] for b in bins], [b[1] for b in bins], color=BLUE, linewidth=1.6)
    sizes = [20 + 300 * count / total for _, _, count in bins]
    axes.scatter(
        [b[0] for b in bins],
        [b[1] for b in bins],
        s=sizes,
        color=BLUE,
        zorder=3,
    )
    axes.plot([], [], "o-", color=BLUE, label="the system (larger dot: more decisions)")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(stated)
    axes.set_ylabel(right)
    axes.set_title(title)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    tidy(axes)
