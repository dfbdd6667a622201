"""The pictures of a report, by file name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from mmer_fairseq.metrics.confusion import binary_confusion, confusion
from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.confusion import draw_confusion
from mmer_fairseq.plots.forest import forest_figure
from mmer_fairseq.plots.reliability import draw_reliability
from mmer_fairseq.plots.residuals import draw_residuals
from mmer_fairseq.plots.scatter import draw_scatter
from mmer_fairseq.reporting.measures import TITLES
from mmer_fairseq.reporting.results import Outcome, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Points of a scatter; more of them are drawn at equal distances.
_MOST_POINTS = 4000


@dataclass(frozen=True)
class Picture:
    """A figure and what it shows.

    Attributes:
        file: name, without folder.
        section: of the page: scores, decisions, calibration.
        system: that it is of; '': of all.
        alt: in words.
        figure: itself.
    """

    file: str
    section: str
    system: str
    alt: str
    figure: Figure


def pictures(results: Results) -> list[Picture]:
    """All of them, in the order of the page."""
    found = [Picture("scores.png", "scores", "", "scores of all systems with intervals", _forest(results))]
    used: set[str] = set()
    for outcome in results.outcomes:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", outcome.name).strip("-.") or "system"
        while name in used:
            name += "-"
        used.add(name)
        if results.kind in ("classes", "multilabel"):
            figure, what = _confusion(results, outcome), "confusion"
        else:
            figure, what = _numbers(results, outcome), "predictions"
        found.append(
            Picture(f"{what}-{name}.png", "decisions", outcome.name, f"{what} of {outcome.name}", figure)
        )
        if outcome.calibration is not None:
            figure = _reliability(results, outcome)
            alt = f"calibration of {outcome.name}"
            found.append(Picture(f"calibration-{name}.png", "calibration", outcome.name, alt, figure))
    return found


def _forest(results: Results) -> Figure:
    panels = []
    for place, (first, _) in enumerate(results.outcomes[0].overall()):
        pairs = [outcome.overall()[place] for outcome in results.outcomes]
        metric = first.measure.metric
        title = TITLES.get(metric, metric) + ("" if first.measure.higher_is_better else " (lower is better)")
        panels.append((title, [(e.value, e.low, e.high) for e, _ in pairs], [seeds for _, seeds in pairs]))
    names = [outcome.name for outcome in results.outcomes]
    rings = any(len(outcome.system.runs) > 1 for outcome in results.outcomes)
    title = "dot: score   line: 95 % interval" + ("   ring: one seed" if rings else "")
    return forest_figure(panels, names, title=title)


def _confusion(results: Results, outcome: Outcome) -> Figure:
    names, runs = results.names, [run.scored for run in outcome.system.runs]
    many = f" × {len(runs)} seeds" if len(runs) > 1 else ""
    title = f"{outcome.name}: {results.clips} clips{many}"
    if results.kind == "classes":
        target, decided = (
            torch.cat([getattr(run, side)[:, 0].long() for run in runs]) for side in ("target", "prediction")
        )
        counts = confusion(target, decided, len(names))
        columns, words = names, {"row_label": "true class", "column_label": "class that was decided on"}
        totals = counts.sum(dim=1)
    else:
        target, decided = (
            torch.cat([getattr(run, side) for run in runs]) > 0 for side in ("target", "prediction")
        )
        table = binary_confusion(target, decided, torch.ones_like(target))
        counts = torch.stack([table[:, 1, 1], table[:, 1, 0], table[:, 0, 1], table[:, 0, 0]], dim=1)
        columns = ("found", "missed", "false alarm", "rightly absent")
        words = {"row_label": "label (clips that have it)", "column_label": "decision"}
        totals = table[:, 1].sum(dim=1)
    rows = [f"{name} ({int(count)})" for name, count in zip(names, totals.tolist())]
    size = min(len(columns), 14)
    figure = new_figure(max(5.5, 2.6 + 0.8 * size), max(4.2, 1.6 + 0.7 * min(len(names), 14)))
    draw_confusion(figure.subplots(), counts, rows, columns, title=title, **words)
    return figure


def _reliability(results: Results, outcome: Outcome) -> Figure:
    assert outcome.calibration is not None
    figure = new_figure(4.8, 4.8)
    bins = [(each.stated, each.right, each.count) for each in outcome.calibration.bins]
    error = f"{outcome.name}: calibration error {outcome.calibration.error:.3f}"
    stated, right = "probability that the system states", "share of decisions that are right"
    if results.kind == "multilabel":
        right = "share of clips that have the label"
    draw_reliability(figure.subplots(), bins, title=error, stated=stated, right=right)
    return figure


def _numbers(results: Results, outcome: Outcome) -> Figure:
    names = results.names
    figure = new_figure(9.0, 4.4 * len(names))
    grid = figure.subplots(len(names), 2, squeeze=False)
    runs = [run.scored for run in outcome.system.runs]
    for column, name in enumerate(names):
        target, decided = (
            torch.cat([getattr(run, side)[:, column] for run in runs]) for side in ("target", "prediction")
        )
        kept = (~target.isnan()).nonzero()[:, 0]
        kept = kept[:: max(1, -(-len(kept) // _MOST_POINTS))]
        points = target[kept].tolist(), decided[kept].tolist()
        draw_scatter(grid[column, 0], *points, title=f"{outcome.name}: {name}")
        draw_residuals(grid[column, 1], *points, title="errors")
    return figure
