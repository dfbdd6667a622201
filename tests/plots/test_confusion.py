"""The table of counts and shares."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.plots.canvas import new_figure
from mmer_fairseq.plots.confusion import draw_confusion


def draw(counts: torch.Tensor):
    names = [f"n{k}" for k in range(len(counts))]
    axes = new_figure(5, 4).subplots()
    draw_confusion(axes, counts, names, names, title="t", row_label="target", column_label="prediction")
    return axes


def test_counts_and_shares() -> None:
    axes = draw(torch.tensor([[6, 2], [0, 0]]).double())
    assert [text.get_text() for text in axes.texts] == ["6\n75 %", "2\n25 %", "0", "0"]
    assert axes.images[0].get_array().tolist() == [[75, 25], [0, 0]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["n0", "n1"]
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == ("target", "prediction", "t")


def test_dark_cells_have_light_numbers() -> None:
    axes = draw(torch.tensor([[9, 1], [5, 5]]).double())
    assert [text.get_color() for text in axes.texts] == ["white", "#222222", "#222222", "#222222"]


@pytest.mark.parametrize("classes", [1, 30])
def test_few_and_many_classes(classes: int) -> None:
    axes = draw(torch.eye(classes))
    assert len(axes.texts) == (1 if classes == 1 else 0)  # 900 numbers would not be readable
    axes.figure.draw_without_rendering()
