"""The picture of ``mmer robustness``."""

from __future__ import annotations

import math

import pytest

from mmer_fairseq.plots.canvas import BLUE, save
from mmer_fairseq.plots.robustness import robustness_figure

SUBSETS = {"text + audio": 0.75, "text": 0.5, "audio": 0.25}
CURVES = {"snr": {20.0: 0.75, 0.0: 0.5}, "blur": {}, "occlusion": {0.1: 0.7, 0.5: 0.6}}


def draw(subsets=SUBSETS, curves=CURVES, metric="uar"):
    figure = robustness_figure(subsets, curves, metric=metric, title="test, 8 clips")
    figure.draw_without_rendering()
    return figure


def test_a_bar_for_each_subset_and_its_difference() -> None:
    axes = draw().axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.5, 0.25]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[0] != colours[1] == colours[2]
    assert axes.lines[0].get_color() == BLUE
    assert [text.get_text() for text in axes.texts] == ["0.750", "0.500  (-0.250)", "0.250  (-0.500)"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "text + audio\n(complete)",
        "text",
        "audio",
    ]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the complete input on top


def test_a_curve_for_each_spoiling_with_the_complete_score() -> None:
    figure = draw()
    _, snr, covered = figure.axes  # none for the blur, which has no level
    line, dashed = snr.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0, 20], [0.5, 0.75])
    assert list(dashed.get_ydata()) == [0.75, 0.75]
    assert dashed.get_linestyle() == "--"
    assert snr.get_xlim()[0] > snr.get_xlim()[1]  # more noise is further right
    assert covered.get_xlim()[0] < covered.get_xlim()[1]
    assert snr.get_ylim() == covered.get_ylim()
    assert snr.get_ylim()[0] == 0
    assert (snr.get_xlabel(), snr.get_ylabel()) == ("signal-to-noise ratio (dB)", "uar")
    assert figure.get_suptitle() == "test, 8 clips"


def test_bars_alone() -> None:
    assert len(draw(curves={}).axes) == 1


@pytest.mark.parametrize("score", [-0.5, 0.0, math.nan])
def test_scores_below_zero_and_none(score) -> None:
    axes = draw({"text + audio": score, "text": 0.0}, {"snr": {0.0: score}}).axes
    low, high = axes[1].get_ylim()
    assert low <= min(0, score)  # 0 for NaN
    assert high > low


def test_the_direction_is_said() -> None:
    assert draw(metric="mae").axes[1].get_ylabel() == "mae (lower is better)"


def test_the_same_file_twice(tmp_path) -> None:
    for name in ("a.png", "b.png"):
        save(draw(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
