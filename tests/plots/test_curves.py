"""Learning curves."""

from __future__ import annotations

import math

import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.curves import draw_curve
from mmer_fairseq.plots.history import History

HISTORY = History(
    train={"loss": {1: 3.0, 2: 2.0, 3: 1.0}, "wall": {1: 1.0}},
    valid={"loss": {2: 2.0, 1: 2.5, 3: 2.25}, "f1": {1: 0.5, 2: math.nan, 3: 0.5}, "lost": {1: math.nan}},
)


def draw(metric: str):
    axes = new_figure(5, 4).subplots()
    draw_curve(axes, HISTORY, metric)
    return axes


def test_both_splits_and_the_best_epoch() -> None:
    axes = draw("loss")
    train, valid, best = axes.lines
    assert (list(train.get_xdata()), list(train.get_ydata())) == ([1, 2, 3], [3, 2, 1])
    assert (list(valid.get_xdata()), list(valid.get_ydata())) == ([1, 2, 3], [2.5, 2, 2.25])
    assert (list(best.get_xdata()), list(best.get_ydata())) == ([2], [2])
    assert axes.get_title() == "loss: best 2.000 on valid, epoch 2"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (÷ ln 2)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "valid"]


def test_the_first_of_equal_epochs_and_no_nan_is_the_best() -> None:
    assert draw("f1").get_title() == "f1: best 0.500 on valid, epoch 1"


def test_nothing_to_call_the_best() -> None:
    assert draw("lost").get_title() == "lost"
    assert draw("wall").get_title() == "wall"


def test_a_single_epoch_is_seen() -> None:
    axes = draw("wall")
    assert axes.lines[0].get_marker() == "o"
    axes.figure.draw_without_rendering()


def test_a_metric_that_was_not_logged() -> None:
    with pytest.raises(InputError) as error:
        draw("uar")
    assert str(error.value) == (
        "--metric: expected a metric of the log: f1, loss, lost, wall; found 'uar'. Name one of those."
    )
