"""The small trainable image encoder: a CNN over every real frame, all clips in one call."""

from __future__ import annotations

from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.images import each_image, unit_range

_CHANNELS = (24, 32, 64)
_GRID = 4  # cells a side that keep their place


class FrameCNN(Encoder):
    """Three convolutions down to a 4×4 grid (from 64×64 pixels), then a linear layer over the grid.

    Each frame is brought to zero mean and unit variance first, so that light and colour of skin and room
    matter less. Norms are over channels and space of one frame: nothing depends on other frames.

    Args:
        width: D of the output.
        dropout: probability, on the grid.
    """

    def __init__(self, width: int, dropout: float = 0.1) -> None:
        super().__init__(width)
        a, b, c = _CHANNELS
        self.standardise = nn.GroupNorm(1, 3, affine=False)
        self.layers = nn.Sequential(
            nn.Conv2d(3, a, 7, stride=4, padding=3),
            nn.GroupNorm(1, a),
            nn.GELU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.GroupNorm(1, b),
            nn.GELU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
            nn.GroupNorm(1, c),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(_GRID),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(c * _GRID * _GRID, width),
        )

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, 3, H, W], uint8 or in [0, 1] → [B, T, D]."""
        return each_image(x, lengths, self.dim, self._vectors), lengths

    def _vectors(self, images: Tensor) -> Tensor:
        return self.layers(self.standardise(unit_range(images, self.dtype)))


def build(spec: StreamSpec, width: int, path: str) -> FrameCNN:
    """Builder for the registry."""
    return FrameCNN(width, spec.dropout)
