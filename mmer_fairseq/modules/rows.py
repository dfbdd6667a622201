"""Padded batch ↔ the rows of its real steps, so that layers that look at one step alone do no work on padding."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from mmer_fairseq.modules.masks import padding_mask


class Rows:
    """Where the real steps of a batch lie.

    ``pack`` takes [B, T, D] to [N, D], N the real steps of all clips one after the other; ``unpack`` puts them back,
    zeros elsewhere. When nothing is padded both are views and ``padding`` is None, so attention runs without a mask.
    """

    def __init__(self, lengths: Tensor, device: Optional[torch.device] = None) -> None:
        """Lay out a batch of the given lengths.

        Args:
            lengths: LongTensor [B] on the CPU (the layout is decided here, without waiting for the device). A clip
                of length 0 has no row, and attention over it would have nothing to attend to: callers give at least 1.
            device: where the batch is; None: the CPU.
        """
        self.batch = lengths.shape[0]
        self.steps = int(lengths.max())
        self.padding: Optional[Tensor] = None
        self._index: Optional[Tensor] = None
        if int(lengths.min()) < self.steps:
            padding = padding_mask(lengths, self.steps)
            self._index = (~padding).flatten().nonzero().squeeze(1).to(device)
            self.padding = padding.to(device)

    def pack(self, x: Tensor) -> Tensor:
        """[B, T, D] → [N, D], T the longest length."""
        x = x.reshape(self.batch * self.steps, -1)
        return x if self._index is None else x.index_select(0, self._index)

    def unpack(self, rows: Tensor) -> Tensor:
        """[N, D] → [B, T, D], padded steps are zero."""
        if self._index is not None:
            empty = rows.new_zeros(self.batch * self.steps, rows.shape[1])
            rows = empty.index_copy(0, self._index, rows)
        return rows.view(self.batch, self.steps, -1)
