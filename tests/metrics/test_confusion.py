"""Counts and what is made of them; the averages are tested against scikit-learn in test_classes.py."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.metrics import confusion as table


def test_rows_are_targets() -> None:
    counts = table.confusion(torch.tensor([0, 0, 2]), torch.tensor([1, 0, 2]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert counts.dtype == torch.float64


def test_yes_no_counts_by_column() -> None:
    target = torch.tensor([[True, False], [True, True], [False, True]])
    predicted = torch.tensor([[True, True], [False, True], [False, True]])
    kept = torch.tensor([[True, True], [True, True], [False, True]])
    assert table.binary_confusion(target, predicted, kept).tolist() == [[[0, 0], [1, 1]], [[0, 1], [0, 2]]]


def test_tables_are_independent() -> None:
    full, empty = torch.tensor([[3.0, 1.0], [2.0, 4.0]]), torch.zeros(2, 2)
    both = torch.stack([full, empty]).double()
    for metric in (table.accuracy, table.recall, table.f1, table.uar, table.macro_f1, table.weighted_f1):
        values = metric(both)
        assert torch.equal(values[0], metric(full.double()))
        assert values[1].isnan().all()


def test_weighted_accuracy_of_mosei() -> None:
    counts = torch.tensor([[50.0, 20.0], [4.0, 6.0]]).double()  # TN 50 of 70, TP 6 of 10
    assert table.uar(counts).item() == pytest.approx((6 * 70 / 10 + 50) / (2 * 70))
