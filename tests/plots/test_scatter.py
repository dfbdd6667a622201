"""Predicted against true numbers."""

from __future__ import annotations

import pytest

from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.scatter import draw_scatter


def test_points_and_the_right_line() -> None:
    axes = new_figure(4, 4).subplots()
    draw_scatter(axes, [-1, 0, 3], [1, 0, 2], title="valence")
    assert axes.collections[0].get_offsets().tolist() == [[-1, 1], [0, 0], [3, 2]]
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((-1.2, 3.2))
    assert list(axes.lines[0].get_xdata()) == list(axes.lines[0].get_ydata())
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("target", "prediction", "valence")


def test_a_single_point() -> None:
    axes = new_figure(4, 4).subplots()
    draw_scatter(axes, [2], [2], title="")
    assert axes.get_xlim() == (1, 3)
    axes.figure.draw_without_rendering()
