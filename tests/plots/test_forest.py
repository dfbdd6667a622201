"""Scores with intervals."""

from __future__ import annotations

import math

from mmer_fairseq.plots.forest import forest_figure


def test_dots_lines_and_rings():
    panels = [
        ("accuracy", [(0.7, 0.6, 0.8), (0.5, math.nan, math.nan)], [[0.65, 0.75], [0.5]]),
        ("UAR", [(0.6, 0.5, 0.7), (0.4, 0.3, 0.5)], [[0.6], [0.4]]),
        ("F1", [(0.6, 0.5, 0.7), (0.4, 0.3, 0.5)], [[0.6], [0.4]]),
    ]
    figure = forest_figure(panels, ["one", "two"], title="scores")
    figure.draw_without_rendering()
    first, second, _, hidden = figure.axes
    assert not hidden.get_visible()
    drawn = [list(line.get_xdata()) for line in first.lines]
    assert drawn == [[0.6, 0.8], [0.65, 0.75], [0.7], [0.5]]  # the second has no interval
    assert [label.get_text() for label in first.get_yticklabels()] == ["one", "two"]
    assert second.get_title() == "UAR"
    assert first.get_ylim()[0] > first.get_ylim()[1]  # the first system above
