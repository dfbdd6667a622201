"""Running an image network over the frames of a padded batch."""

from __future__ import annotations

from typing import Callable

import torch
from torch import Tensor

from mmer_fairseq.modules.masks import padding_mask


def each_image(
    frames: Tensor,
    lengths: Tensor,
    dim: int,
    images_to_vectors: Callable[[Tensor], Tensor],
    *,
    at_once: int = 0,
) -> Tensor:
    """Run an image network over the real frames of all clips together; padding frames are never touched.

    Args:
        frames: [B, T, 3, H, W], uint8 in 0…255 or float in [0, 1].
        lengths: LongTensor [B], valid frames.
        dim: D, the width of the network's output.
        images_to_vectors: [N, 3, H, W] → [N, D].
        at_once: most images in one call, a bound on memory (0: no bound).

    Returns:
        [B, T, D], zero at padded frames.
    """
    valid = ~padding_mask(lengths, frames.size(1))
    images = frames[valid]
    parts = images.split(at_once) if at_once else (images,)
    vectors = torch.cat([images_to_vectors(part) for part in parts])
    y = vectors.new_zeros(frames.size(0), frames.size(1), dim)
    y[valid] = vectors
    return y


def unit_range(images: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 0…255 → [0, 1] in a floating type; floats are taken to be in [0, 1] already."""
    return images.to(dtype).div_(255) if images.dtype == torch.uint8 else images.to(dtype)
