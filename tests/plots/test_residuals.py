"""Errors over the target."""

from __future__ import annotations

import pytest

from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.residuals import draw_residuals


def test_errors_and_their_mean_among_neighbours():
    axes = new_figure(4, 4).subplots()
    target = [float(i) for i in range(16)][::-1]
    draw_residuals(axes, target, [t + (1 if t < 8 else -1) for t in target], title="t")
    (dots,) = axes.collections
    assert dots.get_offsets()[0].tolist() == [0, 1]
    means = axes.lines[1]
    assert list(means.get_xdata())[:2] == pytest.approx([0.5, 2.5])
    assert list(means.get_ydata()) == pytest.approx([1] * 4 + [-1] * 4)


def test_one_clip():
    axes = new_figure(4, 4).subplots()
    draw_residuals(axes, [1.0], [0.5], title="t")
    assert list(axes.lines[1].get_ydata()) == [-0.5]
