"""Padded batch ↔ the rows of its real steps: layers that look at one step alone do no work on padding."""

from __future__ import annotations

import torch
from torch import Tensor

from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.masks import padding_mask


class Rows:
    """Where the real steps of a batch lie.

    ``pack`` takes [B, T, D] to [N, D], N the real steps of all clips one after the other; ``unpack`` puts
    them back, zeros elsewhere. When nothing is padded both are views and ``padding`` is None, so that
    attention runs without a mask. Within :func:`mmer_fairseq.modules.dense.dense`, the rows are all steps, N = B·T.

    Attributes:
        batch: B.
        steps: T, the longest length.
        padding: BoolTensor [B, T], True where a step is padding, or None.
    """

    def __init__(self, lengths: Tensor, device: torch.device | None = None, steps: int | None = None) -> None:
        """Lay out a batch.

        Args:
            lengths: LongTensor [B] on the CPU, where the layout is decided without waiting for the device. At
                least 1 each: attention over a clip without a step would have nothing to attend to.
            device: where the batch is; None: the CPU.
            steps: T, which dense rows cannot find in the lengths; others do not look at it.
        """
        self.batch = lengths.shape[0]
        self.padding: Tensor | None = None
        self._index: Tensor | None = None
        self._dense = is_dense()
        if self._dense:
            assert steps is not None
            self.steps, self.padding = steps, padding_mask(lengths, steps)
            return
        self.steps = int(lengths.max())
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
        x = rows.view(self.batch, self.steps, rows.shape[1])
        return x.masked_fill(self.padding[..., None], 0.0) if self._dense and self.padding is not None else x

    def last(self, lengths: Tensor) -> Tensor:
        """The row of each clip's last step; LongTensor [B] of the lengths that it was laid out with → [B]."""
        if self._dense:
            return torch.arange(self.batch) * self.steps + lengths - 1
        return lengths.cumsum(0) - 1
