"""The picture of a run."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.history import History
from mmer_fairseq.plots.predictions import Predictions
from mmer_fairseq.plots.run import curves_figure, predictions_figure, run_figure

HISTORY = History(
    train={"loss": {1: 2.0, 2: 1.0}},
    valid={"loss": {1: 2.0, 2: 1.5}, "uar": {1: 0.5, 2: 0.75}, "mae": {1: 1.0}, "best_uar": {1: 0.5}},
)
CLASSES = Predictions("classes", ("sad", "happy"), [[0], [0], [1], [1]], [[0], [1], [1], [1]], 4, ("valid",))
LABELS = Predictions("multilabel", ("sad", "happy"), [[0, 1], [1, 1]], [[1, 1], [1, 0]], 2, ())
SCORES = Predictions(
    "score", tuple("vadp"), [[0, 1, 2, 3], [4, 5, 6, 8]], [[1, 2, 3, 4], [5, 6, 7, 9]], 2, ()
)
TRACE = Predictions("trace", ("v",), [[0], [float("nan")], [4]], [[1], [9], [5]], 1, ("test",))


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_visible() and axes.get_title()]


def test_curves() -> None:
    assert titles(curves_figure(HISTORY)) == [
        "loss: best 1.500 on valid, epoch 2",
        "uar: best 0.750 on valid, epoch 2",
    ]
    assert titles(curves_figure(HISTORY, "mae"))[1] == "mae: best 1.000 on valid, epoch 1"
    assert len(curves_figure(HISTORY, "loss").axes) == 1
    assert len(curves_figure(History(train={"loss": {1: 1.0}})).axes) == 1
    with pytest.raises(InputError, match=r"^--metric: expected a metric of the log: .*; found 'ccc'"):
        curves_figure(HISTORY, "ccc")


def test_classes() -> None:
    figure = predictions_figure(CLASSES)
    assert titles(figure) == ["4 clips (valid)\naccuracy 0.750, UAR 0.750, weighted F1 0.733"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["1\n50 %", "1\n50 %", "0", "2\n100 %"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["sad (2)", "happy (2)"]


def test_labels() -> None:
    figure = predictions_figure(LABELS)
    assert titles(figure) == ["2 clips\naccuracy 0.500, F1 0.667, weighted accuracy 0.500"]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        *("1\n50 %", "0", "1\n50 %", "0"),
        *("1\n50 %", "1\n50 %", "0", "0"),
    ]


def test_scores() -> None:
    figure = predictions_figure(SCORES)
    assert titles(figure) == ["v", "a", "d", "p"]
    assert figure.get_suptitle().startswith("2 clips\nMAE 1.000, Pearson 1.000, CCC 0.8")
    one = Predictions("score", ("v",), [[0], [4]], [[1], [5]], 2, ("test",))
    assert titles(predictions_figure(one)) == ["v, 2 clips (test)\nMAE 1.000, Pearson 1.000, CCC 0.889"]


def test_traces() -> None:
    figure = predictions_figure(TRACE)
    assert titles(figure) == ["v, 1 clips (test), 3 steps\nRMSE 1.000, Pearson 1.000, CCC 0.889"]
    assert np.asarray(figure.axes[0].collections[0].get_offsets()).tolist() == [[0, 1], [4, 5]]


@pytest.mark.parametrize("predictions", [CLASSES, LABELS, SCORES, TRACE])
def test_all_in_one(predictions: Predictions) -> None:
    figure = run_figure(HISTORY, predictions)
    assert titles(figure)[0] == "loss: best 1.500 on valid, epoch 2"
    figure.draw_without_rendering()  # warnings of a layout that does not fit are errors here
