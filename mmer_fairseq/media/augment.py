"""Pictures changed at random for training: the same change for all pictures of a clip, another one each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError

FLAG = "--picture-augmentation"
#: Name → (what it is set to without a number, highest value).
CHANGES = {"flip": (0.5, 1.0), "shift": (0.1, 0.5), "colour": (0.3, 0.9)}


@dataclass(frozen=True)
class PictureAugmentation:
    """How much pictures are changed; 0 leaves a thing alone.

    Args:
        flip: probability of a clip to be mirrored.
        shift: each side of the picture is moved by up to this share of the picture, outwards or inwards, and what is
            between the four is scaled to the old size: another place, size and shape of the face.
        colour: brightness, contrast and saturation are multiplied by numbers between 1 - this and 1 + this.
    """

    flip: float = 0.0
    shift: float = 0.0
    colour: float = 0.0

    def __call__(self, pictures: Tensor, random: np.random.Generator) -> Tensor:
        """Change a clip.

        Args:
            pictures: ByteTensor [T, 3, H, W], not changed in place.
            random: draws what happens.

        Returns:
            ByteTensor [T, 3, H, W].
        """
        flipped = random.random() < self.flip
        sides = random.uniform(-self.shift, self.shift, 4)
        colours = random.uniform(1 - self.colour, 1 + self.colour, 3)
        if not len(pictures):
            return pictures
        if flipped:
            pictures = pictures.flip(-1)
        if self.shift:
            pictures = _stretched(pictures, sides)
        return _coloured(pictures, colours) if self.colour else pictures


def _stretched(pictures: Tensor, sides: np.ndarray) -> Tensor:
    """Move left, right, top and bottom by these shares; what lies outside repeats the edge."""
    from torchvision.transforms.v2 import functional

    height, width = pictures.shape[-2:]
    left, right, top, bottom = (round(float(s) * n) for s, n in zip(sides, (width, width, height, height)))
    border = [max(0, -left), max(0, -top), max(0, right), max(0, bottom)]
    # one pixel must be left of a tiny picture
    wide, high = max(1, width + right - left), max(1, height + bottom - top)
    padded = functional.pad(pictures, border, padding_mode="edge")
    part = functional.crop(padded, max(0, top), max(0, left), high, wide)
    return functional.resize(part, [height, width], antialias=True)


def _coloured(pictures: Tensor, factors: np.ndarray) -> Tensor:
    from torchvision.transforms.v2 import functional

    brightness, contrast, saturation = map(float, factors)
    # contrast of a clip, not of each picture: its mean must not flicker
    changed = functional.adjust_saturation(pictures, saturation).float() * brightness
    mean = changed.mean()
    return ((changed - mean) * contrast + mean).round().clamp(0, 255).to(torch.uint8)


def parse_augmentation(text: str | None) -> PictureAugmentation | None:
    """``"flip,shift=0.1,colour=0.3"`` → the changes; None: there are none.

    Raises:
        InputError: another name, a name twice, or a number out of range.
    """
    found: dict[str, float] = {}
    for part in (piece.strip() for piece in (text or "").split(",")):
        if not part:
            continue
        name, equals, number = (piece.strip() for piece in part.partition("="))
        default, highest = CHANGES.get(name, (0.0, 0.0))
        try:
            value = float(number) if equals else default
        except ValueError:
            value = -1.0
        if name not in CHANGES or name in found or not 0 <= value <= highest:
            ranges = ", ".join(f"{each} (0 to {most:g})" for each, (_, most) in CHANGES.items())
            raise InputError.of(
                where=FLAG,
                expected=f"each at most once, with or without =NUMBER: {ranges}",
                found=repr(part),
                remedy="write for example flip,shift=0.1,colour=0.3",
            )
        found[name] = value
    return PictureAugmentation(**found) if any(found.values()) else None
