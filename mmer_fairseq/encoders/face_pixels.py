"""Pixels of small face images, normalised by channel: what MME2E's picture CNN reads. Nothing is learned."""

from __future__ import annotations

import torch
from torch import Tensor

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.images import unit_range
from mmer_fairseq.errors import InputError

SIZE = 48
#: Channels, height, width of one face.
IMAGE = (3, SIZE, SIZE)
#: What pixels are normalised with, by the name of the set.
SETS = {"mme2e": ((159.0, 111.0, 102.0), (37.0, 33.0, 32.0))}


class FacePixels(Encoder):
    """Faces of 48×48 pixels, each channel less its mean and divided by its deviation over faces.

    Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its code.

    Args:
        which: one of :data:`SETS`.

    Raises:
        InputError: another one.
    """

    def __init__(self, which: str = "mme2e") -> None:
        if which not in SETS:
            raise InputError.of(
                where="encoder 'face_pixels'",
                expected=f"one of {', '.join(SETS)}",
                found=f"'{which}'",
                remedy="write 'face_pixels'",
            )
        super().__init__(3 * SIZE * SIZE, variant=f"face pixels {which}")
        self.which = which

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, 3, 48, 48], uint8 or in [0, 1] → [B, T, 6912], channel by channel."""
        if tuple(x.shape[2:]) != IMAGE:
            raise InputError.of(
                where="batch",
                expected=f"frames of {SIZE}×{SIZE} pixels",
                found=f"a stream of shape {tuple(x.shape)}",
                remedy=f"set --frame-size {SIZE}",
            )
        dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        mean, deviation = (torch.tensor(each, device=x.device).view(3, 1, 1) for each in SETS[self.which])
        shift, scale = (mean / deviation).to(dtype), (255.0 / deviation).to(dtype)
        return (unit_range(x, dtype) * scale - shift).flatten(2), lengths


def build(spec: StreamSpec, width: int, path: str) -> FacePixels:
    """Builder for the registry."""
    return FacePixels(path or "mme2e")
