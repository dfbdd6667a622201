"""What the networks over short clips of face images share: their pieces, and the scale of their pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.encoders.backbone import Backbone
from mmer_fairseq.encoders.images import unit_range
from mmer_fairseq.encoders.pieces import each_frame_piece, piece_count
from mmer_fairseq.errors import InputError

SIZE = 112  # pixels
PIECE = 8  # frames, where the stream does not say

#: Of Kinetics-400, RGB in [0, 1]; torchvision's video models were trained with them.
MEAN = (0.43216, 0.394666, 0.37645)
DEVIATION = (0.22803, 0.22145, 0.216989)


class ClipBackbone(Backbone):
    """A network over clips of ``piece`` frames, each of which becomes one vector.

    A longer stream is cut into pieces; the last one is filled by repeating its last frame. Only pieces with real
    frames are computed, a few at once. Batch norms that are trained take their statistics over these.

    Attributes:
        at_once: most pieces that run together.

    Args:
        dim: D, the width of the output.
        piece: frames of a piece.
        others: as :class:`Backbone`'s.
    """

    at_once = 16
    pixel_mean: Tensor
    pixel_deviation: Tensor

    def __init__(self, dim: int, piece: int = PIECE, **others: Any) -> None:
        super().__init__(dim, stride=piece, **others)
        self.piece = piece
        shape = (3, 1, 1)
        self.register_buffer("pixel_mean", torch.tensor(MEAN).view(shape), persistent=False)
        self.register_buffer("pixel_deviation", torch.tensor(DEVIATION).view(shape), persistent=False)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Pieces, rounded up."""
        return piece_count(lengths, self.piece)

    def clip_vectors(self, clips: Tensor) -> Tensor:
        """Normalised clips [N, 3, T, H, W] → [N, D]."""
        raise NotImplementedError

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, 3, 112, 112], uint8 or in [0, 1] → [B, ⌈T / piece⌉, D]."""
        if tuple(x.shape[2:]) != (3, SIZE, SIZE):
            raise InputError.of(
                where="stream of frames",
                expected=f"frames of 3×{SIZE}×{SIZE} for {type(self).__name__}",
                found="×".join(str(n) for n in x.shape[2:]),
                remedy=f"set the frame size to {SIZE} pixels (--frame-size {SIZE})",
            )
        return each_frame_piece(x, lengths, self.piece, self._normalised, self.dim, self.at_once)

    def _normalised(self, frames: Tensor) -> Tensor:
        """[N, T, 3, H, W] as the stream holds them → [N, D]."""
        pixels = (unit_range(frames, self.dtype) - self.pixel_mean) / self.pixel_deviation
        return self.clip_vectors(pixels.transpose(1, 2))
