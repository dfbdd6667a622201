"""Lengths → masks."""

from __future__ import annotations

import torch

from mmer_fairseq.modules.masks import padding_mask


def test_true_is_padding():
    mask = padding_mask(torch.tensor([3, 0, 1]), 3)
    assert mask.tolist() == [[False, False, False], [True, True, True], [False, True, True]]
