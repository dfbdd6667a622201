"""Padded batch ↔ the rows of its real steps: layers that look at one step alone do no work on padding."""

from __future__ import annotations

import torch
from torch import Tensor

from mmer_fairseq.modules.masks import padding_mask


class Rows:
    """Where the real steps of a batch lie.

    ``pack`` takes [B, T, D] to [N, D], N the real steps of all clips one after the other; ``unpack`` puts
    them back, zeros elsewhere. When nothing is padded both are views and ``padding`` is None, so that
    attention runs without a mask.

    Attributes:
        batch: B.
        steps: T, the longest length.
        padding: BoolTensor [B, T], True where a step is padding, or None.
    """

    def __init__(self, lengths: Tensor, device: torch.device | None = None) -> None:
        """Lay out a batch.

        Args:
            lengths: LongTensor [B] on the CPU, where the layout is decided without waiting for the device. At
                least 1 each: attention over a clip without a step would have nothing to attend to.
            device: where the batch is; None: the CPU.
        """
        self.batch = lengths.shape[0]
        self.steps = int(lengths.max())
        self.padding: Tensor | None = None
        self._index: Tensor | None = None
        if int(lengths.min()) < self.steps:
            padding = padding_mask(lengths, self.steps)
            self._index = (~padding).flatten().nonzero().squeeze(1).to(device)
            self.padding = padding.to(device)

    def pack(self, x: Tensor) -> Tensor:
        """[B, T, D] → [N, D]."""
        x = x.reshape(self.batch * self.steps, -1)
        return x if self._index is None else x.index_select(0, self._index)

    def unpack(self, rows: Tensor) -> Tensor:
        """[N, D] → [B, T, D], zero at padded steps."""
        if self._index is not None:
            empty = rows.new_zeros(self.batch * self.steps, rows.shape[1])
            rows = empty.index_copy(0, self._index, rows)
        return rows.view(self.batch, self.steps, -1)
