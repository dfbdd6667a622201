"""Box → square picture of a face, cut as MTCNN's own crops are."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np

Box = tuple[float, float, float, float]
Region = tuple[int, int, int, int]

# Of the shorter side of a picture: where no face was found, its middle.
_CENTRE = 0.5

_QUALITY = 95


def region(box: Box, margin: int, size: int, width: int, height: int) -> Region:
    """The pixels to cut out: the box made larger on each side, and what of it lies in the picture.

    Args:
        box: (x0, y0, x1, y1) in pixels.
        margin: pixels of the finished crop that lie around the box, both sides together.
        size: pixels of the finished crop, more than ``margin``.
        width: of the picture.
        height: of the picture.

    Returns:
        (x0, y0, x1, y1), the last two outside; empty where the box lies outside the picture.

    Source: ``extract_face`` of facenet-pytorch.
    """
    x0, y0, x1, y1 = box
    wider = margin * (x1 - x0) / (size - margin) / 2
    higher = margin * (y1 - y0) / (size - margin) / 2
    return (
        int(max(x0 - wider, 0)),
        int(max(y0 - higher, 0)),
        int(min(x1 + wider, width)),
        int(min(y1 + higher, height)),
    )


def cut(picture: np.ndarray, where: Region, size: int) -> np.ndarray:
    """Cut out and bring to size × size, whatever the shape of the region.

    Args:
        picture: uint8 [H, W, 3].
        where: a region of one pixel at least.
        size: pixels.

    Returns:
        uint8 [size, size, 3]. Where the crop is smaller, each of its pixels is the mean of the area it covers (as
        OpenCV's INTER_AREA; Pillow's BOX takes whole pixels only), else bilinear.
    """
    x0, y0, x1, y1 = where
    if (x1 - x0, y1 - y0) == (size, size):
        return np.ascontiguousarray(picture[y0:y1, x0:x1])
    part = np.ascontiguousarray(picture[y0:y1, x0:x1])
    if x1 - x0 >= size and y1 - y0 >= size:
        rows = (_shares(y1 - y0, size) @ part.reshape(y1 - y0, -1)).reshape(size, x1 - x0, 3)
        return np.rint(_shares(x1 - x0, size) @ rows).astype(np.uint8)
    from PIL import Image

    return np.asarray(Image.fromarray(part).resize((size, size), Image.Resampling.BILINEAR))


@lru_cache(maxsize=256)
def _shares(length: int, size: int) -> np.ndarray:
    """Share of each of ``length`` pixels in each of ``size`` larger ones: float64 [size, length], rows sum to 1."""
    step = length / size
    begin = np.arange(size)[:, None] * step
    pixel = np.arange(length)[None]
    return np.clip(np.minimum(begin + step, pixel + 1) - np.maximum(begin, pixel), 0.0, None) / step


def centre_box(width: int, height: int, half: str = "") -> Box:
    """The square in the middle of the picture, or of its left or right half; half as wide as the shorter side."""
    whole, begin = width, 0
    if half:
        width = max(1, whole // 2)
        begin = whole - width if half == "right" else 0
    side = max(1, round(_CENTRE * min(width, height)))
    x0, y0 = begin + (width - side) // 2, (height - side) // 2
    return float(x0), float(y0), float(x0 + side), float(y0 + side)


def as_jpeg(picture: np.ndarray) -> bytes:
    """The bytes of a JPEG file, colours in full resolution."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def shrunk(picture: np.ndarray, shorter: int) -> np.ndarray:
    """The picture with at most so many pixels on its shorter side (0: as it is)."""
    from PIL import Image

    height, width = picture.shape[:2]
    if not shorter or min(height, width) <= shorter:
        return picture
    scale = shorter / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.HAMMING))
