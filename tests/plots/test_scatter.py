"""Predicted against true numbers."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.scatter import draw_scatter


def test_points_and_the_right_line() -> None:
    axes = new_figure(4, 4).subplots()
    draw_scatter(axes, [-1, 0, 3], [1, 0, 2], title="valence")
    assert np.asarray(axes.collections[0].get_offsets()).tolist() == [[-1, 1], [0, 0], [3, 2]]
    assert axes.get_xlim() == axes.get_ylim() == pytest.approx((-1.2, 3.2))
    assert np.array_equal(axes.lines[0].get_xdata(), axes.lines[0].get_ydata())
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("target", "prediction", "valence")


def test_a_single_point() -> None:
    figure = new_figure(4, 4)
    axes = figure.subplots()
    draw_scatter(axes, [2], [2], title="")
    assert axes.get_xlim() == (1, 3)
    figure.draw_without_rendering()


def test_no_point() -> None:
    figure = new_figure(4, 4)
    draw_scatter(figure.subplots(), [], [], title="")
    figure.draw_without_rendering()
