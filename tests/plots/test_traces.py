"""Traces over time: what the picture holds."""

from __future__ import annotations

import numpy as np

from mmer_fairseq.plots.canvas import save
from mmer_fairseq.plots.traces import traces_figure


def test_a_row_a_clip_a_column_a_dimension_and_holes_are_marked(tmp_path):
    target = np.stack([np.linspace(-1, 1, 50), np.zeros(50)], axis=1)
    target[10:20] = np.nan
    clips = [("a", 10.0, target + 0.1, target), ("b", 5.0, np.zeros((9000, 2)), np.zeros((9000, 2)))]
    figure = traces_figure(clips, ["valence", "arousal"], title="test, CCC 0.9", limits=(-1, 1))
    assert len(figure.axes) == 4
    first = figure.axes[0]
    label, prediction, alone = first.lines
    assert np.isnan(alone.get_ydata()).all()
    np.testing.assert_allclose(label.get_xdata(), np.arange(50) / 10)
    np.testing.assert_allclose(prediction.get_ydata(), target[:, 0] + 0.1)
    assert len(first.collections) == 1
    assert not figure.axes[2].collections
    assert len(figure.axes[2].lines[0].get_xdata()) == 4500
    assert [axes.get_ylabel() for axes in figure.axes] == ["valence", "arousal"] * 2
    assert figure.axes[0].get_ylim() == (-1.06, 1.06)
    assert figure.legends[0].get_texts()[2].get_text() == "no label"
    save(figure, tmp_path / "t.png")
    assert (tmp_path / "t.png").stat().st_size > 10000


def test_a_label_between_two_holes_and_a_trace_of_one_step_are_dots():
    target = np.array([[np.nan], [0.5], [np.nan], [0.1], [0.2]])
    figure = traces_figure(
        [("a", 1.0, np.zeros((5, 1)), target), ("b", 1.0, np.ones((1, 1)), np.ones((1, 1)))], ["v"], title="t"
    )
    dots = figure.axes[0].lines[2]
    assert dots.get_marker() == "o"
    np.testing.assert_array_equal(dots.get_ydata(), [np.nan, 0.5, np.nan, np.nan, np.nan])
    assert [line.get_marker() for line in figure.axes[1].lines[2:]] == ["o", "o"]
