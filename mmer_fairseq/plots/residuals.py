"""How far off predicted numbers are, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmer_fairseq.plots.canvas import BLUE, GREY, ORANGE, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BANDS = 8


def draw_residuals(axes: Axes, target: Sequence[float], prediction: Sequence[float], *, title: str) -> None:
    """Draw prediction less target over the target, and its mean in bands of equal count.

    Args:
        axes: to draw on.
        target: one number for each clip or step.
        prediction: likewise.
        title: of the picture.
    """
    pairs = sorted(zip(target, prediction))
    errors = [p - t for t, p in pairs]
    axes.axhline(0, color=GREY, linestyle="--", linewidth=1.2, label="right")
    alpha = 0.8 if len(pairs) < 100 else 0.4 if len(pairs) < 1000 else 0.1
    axes.scatter([t for t, _ in pairs], errors, s=20, color=BLUE, alpha=alpha, edgecolors="none")
    size = max(1, len(pairs) // _BANDS)
    bands = [range(i, min(i + size, len(pairs))) for i in range(0, len(pairs), size)]
    means = [
        (sum(pairs[i][0] for i in band) / len(band), sum(errors[i] for i in band) / len(band))
        for band in bands
    ]
    axes.plot(
        [m[0] for m in means],
        [m[1] for m in means],
        color=ORANGE,
        linewidth=2,
        marker="o",
        markersize=4,
        label="mean error of neighbours",
    )
    axes.set_xlabel("target")
    axes.set_ylabel("prediction − target")
    axes.set_title(title)
    axes.legend(frameon=False, fontsize=8)
    tidy(axes)
