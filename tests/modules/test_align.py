"""Sequences of other lengths over the same time."""

from __future__ import annotations

import torch

from mmer_fairseq.modules.align import align


def test_each_step_takes_what_lies_at_its_middle():
    lengths, longest = torch.tensor([1, 2, 3, 5, 4, 0]), torch.tensor([5, 5, 5, 5, 4, 3])
    x = torch.arange(6 * 5).view(6, 5, 1)
    y = align(x, lengths, longest, 5)
    for clip, (own, most) in enumerate(zip(lengths.tolist(), longest.tolist())):
        expected = [clip * 5 + int((t + 0.5) * own / most) for t in range(most)]
        assert y[clip, :most, 0].tolist() == expected


def test_equal_lengths_are_left_as_they_are():
    x = torch.randn(2, 6, 3)
    lengths = torch.tensor([6, 4])
    y = align(x, lengths, lengths, 6)
    assert torch.equal(y[0], x[0])
    assert torch.equal(y[1, :4], x[1, :4])


def test_whole_numbers_are_exact_for_long_sequences():
    length = torch.tensor([100_003])
    y = align(torch.arange(100_003)[None, :, None], length, torch.tensor([100_003]), 100_003)
    assert torch.equal(y[0, :, 0], torch.arange(100_003))
