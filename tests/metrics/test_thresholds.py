"""Decisions at thresholds, from counts."""

from __future__ import annotations

import torch

from mmer_fairseq.metrics import confusion as table
from mmer_fairseq.metrics import thresholds as grid


def test_counts_give_the_tables_of_every_threshold() -> None:
    draw = torch.Generator().manual_seed(1)
    margins = torch.randn(200, 3, generator=draw).double() * 3
    wanted = torch.rand(200, 3, generator=draw) < 0.4
    bins = grid.count(margins, wanted)
    assert bins.sum() == 600
    for threshold in grid.GRID:
        given = (threshold, 0.5, 0.05)
        decided = torch.sigmoid(margins) > torch.tensor(given).double()
        assert torch.equal(grid.decide(margins, given), decided)
        expected = table.binary_confusion(wanted, decided, torch.ones_like(wanted))
        assert torch.equal(grid.confusion(bins, given), expected)


def test_a_probability_at_the_threshold_is_no() -> None:
    margins = torch.tensor([[0.0], [1e-12], [-1e-12]]).double()
    assert grid.decide(margins, (0.5,)).flatten().tolist() == [False, True, False]
    assert grid.confusion(grid.count(margins, torch.ones(3, 1) > 0), (0.5,)).tolist() == [[[0, 0], [2, 1]]]


def test_of_equal_thresholds_the_lowest_and_the_half_for_an_unknown_label() -> None:
    probabilities = torch.tensor([[0.62, 0.3, 0.9], [0.62, 0.4, 0.9], [0.33, 0.1, 0.2]]).double()
    wanted = torch.tensor([[1, 0, 1], [1, 0, 1], [0, 0, 1]]) > 0
    assert grid.choose(grid.count(torch.logit(probabilities), wanted)) == (0.35, 0.5, 0.05)


def test_confident_scores_do_not_saturate() -> None:
    margins = torch.tensor([[800.0, -800.0]]).double()
    assert grid.decide(margins, (0.95, 0.05)).tolist() == [[True, False]]
