"""Scores with modalities missing and with modalities spoilt, in one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmer_fairseq.plots.canvas import BLUE, GREEN, GREY, ORANGE, new_figure, tidy
from mmer_fairseq.plots.history import lower_is_better

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Kind → title, label of the levels, colour, marker.
_PANELS = {
    "snr": ("noise on sound", "signal-to-noise ratio (dB)", ORANGE, "o"),
    "blur": ("blurred picture", "σ of the blur (pixels)", GREEN, "s"),
    "occlusion": ("covered picture", "covered share of the area", BLUE, "^"),
}
_LEFT, _PANEL = 6.0, 3.4  # inches


def robustness_figure(
    subsets: Mapping[str, float], curves: Mapping[str, Mapping[float, float]], *, metric: str, title: str
) -> Figure:
    """Bars for subsets of the modalities, and a curve for each way to spoil one; worse input is further right.

    Args:
        subsets: name → score, the complete input first.
        curves: "snr", "blur", "occlusion" → level → score; kinds that are not there get no panel.
        metric: name of the score.
        title: of the whole picture.
    """
    shown = {kind: points for kind, points in curves.items() if points}
    figure = new_figure(_LEFT + _PANEL * len(shown), max(4.0, 1.8 + 0.45 * len(subsets)))
    widths = [_LEFT, *([_PANEL] * len(shown))]
    axes = figure.subplots(1, 1 + len(shown), squeeze=False, width_ratios=widths)[0]
    figure.suptitle(title)
    label = metric + (" (lower is better)" if lower_is_better(metric) else "")
    draw_subsets(axes[0], subsets, label)
    complete = next(iter(subsets.values()))
    scores = [*subsets.values(), *(score for points in shown.values() for score in points.values())]
    low, high = _range(scores)
    for panel, (kind, points) in zip(axes[1:], shown.items()):
        draw_levels(panel, kind, points, complete)
        panel.set_ylim(
            low, high + 0.1 * (high - low)
        )  # one scale, with 0: no difference looks larger than it is
    if shown:
        axes[1].set_ylabel(label)
    return figure


def draw_subsets(axes: Axes, subsets: Mapping[str, float], label: str) -> None:
    """Draw a bar for each subset with its score and the difference to the first, the complete input."""
    names, values = list(subsets), list(subsets.values())
    lengths = [value if math.isfinite(value) else 0.0 for value in values]
    colours = [BLUE] + ["#a6a6a6"] * (len(names) - 1)
    axes.barh(range(len(names)), lengths, color=colours, height=0.7)
    axes.set_yticks(range(len(names)), [f"{names[0]}\n(complete)", *names[1:]])
    axes.invert_yaxis()
    for row, (value, length) in enumerate(zip(values, lengths)):
        text = f"{value:.3f}" + (f"  ({value - values[0]:+.3f})" if row else "")
        where: dict[str, Any] = {
            "xytext": (4, 0),
            "textcoords": "offset points",
            "va": "center",
            "fontsize": 9,
        }
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # over the dashed line
        axes.annotate(text, (max(length, 0.0), row), bbox=paper, **where)
    axes.axvline(lengths[0], color=BLUE, linestyle="--", linewidth=1.2, zorder=0)
    low, high = _range(values)
    axes.set_xlim(low, high + 0.35 * (high - low))  # room for the numbers
    axes.set_xlabel(label)
    axes.set_title("modalities that are there")
    tidy(axes)
    axes.grid(False, axis="y")


def draw_levels(axes: Axes, kind: str, points: Mapping[float, float], complete: float) -> None:
    """Draw a score over the levels of one spoiling, with that of the untouched input as a dashed line."""
    title, label, colour, marker = _PANELS[kind]
    levels = sorted(points)
    axes.plot(levels, [points[level] for level in levels], color=colour, marker=marker, linewidth=1.8)
    axes.axhline(complete, color=GREY, linestyle="--", linewidth=1.5, label="complete, untouched")
    axes.set_xticks(levels, [f"{level:g}" for level in levels])
    axes.margins(x=0.08)
    if kind == "snr":
        axes.invert_xaxis()
    axes.set_xlabel(label)
    axes.set_title(title)
    axes.legend(frameon=False, loc="lower left")  # scores fall from the top
    tidy(axes)


def _range(scores: Sequence[float]) -> tuple[float, float]:
    """An axis that holds 0 and all scores that are numbers."""
    known = [score for score in scores if math.isfinite(score)]
    low, high = min(0.0, *known, 0.0), max(0.0, *known, 0.0)
    return 1.05 * low, high if high > low else 1.0
