"""Calibration curves."""

from __future__ import annotations

from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.reliability import draw_reliability


def test_larger_dots_stand_for_more_decisions():
    axes = new_figure(4, 4).subplots()
    draw_reliability(axes, [(0.3, 0.2, 10), (0.9, 1.0, 90)], title="t", stated="stated", right="right")
    (dots,) = axes.collections
    assert dots.get_offsets().tolist() == [[0.3, 0.2], [0.9, 1.0]]
    assert dots.get_sizes()[1] > 3 * dots.get_sizes()[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["perfectly calibrated", "the system (larger dot: more decisions)"]
