"""Lengths → masks."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.modules.masks import causal_between, padding_mask


def test_true_is_padding():
    mask = padding_mask(torch.tensor([3, 0, 1]), 3)
    assert mask.tolist() == [[False, False, False], [True, True, True], [False, True, True]]


def test_causal_between_is_a_causal_mask_for_equal_lengths():
    lengths = torch.tensor([5, 3])
    hidden = causal_between(lengths, lengths, 5, 5)
    for clip, length in enumerate((5, 3)):
        expected = torch.ones(length, length, dtype=torch.bool).triu(1)
        assert torch.equal(hidden[clip, :length, :length], expected)
    assert hidden[1, :, 3:].all()


@pytest.mark.parametrize(("queries", "steps"), [(50, 30), (30, 50), (1, 9), (9, 1), (7, 7)])
def test_causal_between_follows_time(queries: int, steps: int):
    hidden = causal_between(torch.tensor([queries]), torch.tensor([steps]), queries, steps)[0]
    for i in range(queries):
        for j in range(steps):
            assert bool(hidden[i, j]) == (j / steps >= (i + 1) / queries - 1e-12)
    assert not hidden[:, 0].any()
    assert not hidden[-1].any()
