"""The scores of a whole split, put together."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.criterions.whole_split import WholeSplit


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_it_is_whole_once_and_in_the_order_of_the_split(batch):
    whole = WholeSplit()
    margins, wanted = torch.arange(20.0).reshape(10, 2).double(), torch.arange(20).reshape(10, 2) % 3 == 0
    for _ in range(2):  # two epochs
        whole.begin("valid", 10)
        ends = []
        for rows in torch.randperm(10).split(batch):
            whole.add(rows, margins[rows], wanted[rows])
            ends.append(whole.count(len(rows)))
        assert ends == [False] * (len(ends) - 1) + [True]
        found = whole.gather()
        assert torch.equal(found[0], margins)
        assert torch.equal(found[1], wanted)


def test_a_split_that_was_broken_off_is_forgotten():
    whole = WholeSplit()
    whole.begin("valid", 2)
    whole.add(torch.tensor([0]), torch.ones(1, 1), torch.ones(1, 1) > 0)
    assert not whole.count(1)
    whole.begin("test", 1)
    assert whole.split == "test"
    whole.add(torch.tensor([0]), torch.zeros(1, 1), torch.ones(1, 1) > 0)
    assert whole.count(1)
    assert whole.gather()[0].tolist() == [[0]]


def test_a_batch_that_fairseq_repeats_counts_once():
    whole = WholeSplit()
    whole.begin("valid", 3)
    for rows, counted in (([1, 0], 2), ([1, 0], 0), ([2], 1)):
        at = torch.tensor(rows)
        whole.add(at, at[:, None].double(), at[:, None] > 0)
        complete = whole.count(counted)
    assert complete
    assert whole.gather()[0].tolist() == [[0], [1], [2]]


def test_nothing_is_whole_before_a_split_begins():
    assert not WholeSplit().count(0)
