"""Drawn faces: eggs of an even colour with two eyes in them. Needs nothing but SciPy, and no weights.

Real faces are seldom so even: this is for cartoons, and for films that were drawn to test something. What is not a face
rarely passes, because the outline, the pair of eyes and their places are all asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmer_fairseq.faces.detectors import Face

# Pixels of the shorter side that are worked on, whatever the picture has.
_SIDE = 320

# Of the gradient, in grey levels a pixel: at least, and in medians of the picture (which are noise).
_EDGE, _NOISE = 3.0, 3.2

# Width over height of a head; filled area over that of an ellipse of the same extent.
_SLIM, _WIDE = 0.5, 1.15
_EVEN = (0.80, 1.16)

# A wall covers this share of the picture; this share of a head is lines, whose mirror image correlates so much.
_WALL, _LINES, _MIRROR = 0.08, 0.06, 0.35


class BlobDetector:
    """All drawn faces of a picture; scores in (0, 1] tell how much of an ellipse the outline is.

    Args:
        min_face: pixels a face has at least, in the pictures that it gets.
    """

    def __init__(self, min_face: int) -> None:
        from scipy import ndimage

        self._nd: Any = ndimage
        self._min_face = min_face

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        return [self._faces(picture) for picture in pictures]

    def _faces(self, picture: np.ndarray) -> list[Face]:
        from PIL import Image

        height, width = picture.shape[:2]
        scale = _SIDE / min(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        seen = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR), np.float32)
        found: list[Face] = []
        for blur in (0.8, 1.5, 2.5):  # sharp outlines first, then noisy pictures
            for box, score, _ in self._eggs(seen, blur, scale):
                if not any(_same(box, other.box) for other in found):
                    found.append(Face(box, score))
        return [Face((x0 / scale, y0 / scale, x1 / scale, y1 / scale), s) for (x0, y0, x1, y1), s, _ in found]

    def _eggs(self, seen: np.ndarray, blur: float, scale: float) -> list[Face]:
        nd, smallest = self._nd, self._min_face * scale
        steep = np.zeros(seen.shape[:2], np.float32)
        for channel in range(3):
            np.maximum(steep, nd.gaussian_gradient_magnitude(seen[..., channel], blur), out=steep)
        flat = steep < max(_EDGE, _NOISE * float(np.median(steep)))
        labels, _ = nd.label(flat)
        result = []
        for number, place in enumerate(nd.find_objects(labels), 1):
            rows, columns = place
            high, wide = rows.stop - rows.start, columns.stop - columns.start
            if high < 0.8 * smallest or not _SLIM * 0.9 <= wide / high <= _WIDE:
                continue
            if rows.start == 0 or columns.start == 0 or columns.stop == seen.shape[1]:
                continue
            mask = labels[place] == number
            score = self._egg(mask)
            if score:
                more = blur  # the edge itself is steep, and not part of the even region
                box = (
                    columns.start - more,
                    rows.start - more,
                    columns.stop + more,
                    min(rows.stop + more, seen.shape[0]),
                )
                result.append(_face(box, score))
        return result + self._islands(labels, steep, smallest, blur, scale)

    def _islands(
        self, labels: np.ndarray, steep: np.ndarray, smallest: float, blur: float, scale: float
    ) -> list[Face]:
        """What stands out of the even wall as an ellipse, and looks the same in a mirror: a head with its hair."""
        nd = self._nd
        border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        counts = np.bincount(labels.ravel())
        counts[0] = 0
        wall = [n for n in np.unique(border) if counts[n] > _WALL * labels.size]
        if not wall:
            return []
        heads, _ = nd.label(~np.isin(labels, wall))
        result = []
        for number, place in enumerate(nd.find_objects(heads), 1):
            mask = nd.binary_fill_holes(heads[place] == number)
            high, wide = mask.shape
            if high < smallest or not _SLIM <= wide / high <= _WIDE:
                continue
            even = mask.sum() / (np.pi / 4 * high * wide)
            core = nd.binary_erosion(mask, iterations=round(3 * blur + scale) + 1)
            lines = np.where(core, steep[place], 0.0)
            if not _EVEN[0] <= even <= _EVEN[1] or core.sum() < 50:
                continue
            drawn = lines > _EDGE
            if (
                drawn.sum() < _LINES * core.sum()
                or nd.label(drawn)[1] < 2
                or _mirrored(lines, core) < _MIRROR
            ):
                continue
            rows, columns = place
            less = 1.5 * blur  # the edge belongs to the island
            box = (columns.start + less, rows.start + less, columns.stop - less, rows.stop - less)
            result.append(_face(box, 0.5))
        return result

    def _egg(self, mask: np.ndarray) -> float:
        """How much of a face an even region is; 0: none."""
        nd = self._nd
        filled = nd.binary_fill_holes(mask)
        high, wide = mask.shape
        even = filled.sum() / (np.pi / 4 * high * wide)
        if not _EVEN[0] <= even <= _EVEN[1]:
            return 0.0
        holes, count = nd.label(filled & ~mask)
        if count < 2:
            return 0.0
        share = np.bincount(holes.ravel(), minlength=count + 1)[1:] / filled.sum()
        centres = np.array(nd.center_of_mass(holes > 0, holes, range(1, count + 1)))
        y, x = centres[:, 0] / high, centres[:, 1] / wide
        eyes = np.flatnonzero((y > 0.1) & (y < 0.62) & (share > 0.002) & (share < 0.16))
        for a in eyes:
            for b in eyes:
                pair = x[b] - x[a] > 0.18 and abs(y[a] - y[b]) < 0.10 and abs(x[a] + x[b] - 1.0) < 0.24
                if pair and 1 / 4 < share[a] / share[b] < 4:
                    return float(1.0 - min(1.0, abs(even - 1.0) / 0.4))
        return 0.0


def _face(box: Sequence[float], score: float) -> Face:
    x0, y0, x1, y1 = (float(x) for x in box)
    return Face((x0, y0, x1, y1), score)


def _mirrored(lines: np.ndarray, core: np.ndarray) -> float:
    """Correlation of the lines of a head with those of its mirror image."""
    both = core & core[:, ::-1]
    if both.sum() < 50:
        return 0.0
    a, b = lines[both], lines[:, ::-1][both]
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-9))


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    middle = (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
    return a[0] < middle[0] < a[2] and a[1] < middle[1] < a[3]
