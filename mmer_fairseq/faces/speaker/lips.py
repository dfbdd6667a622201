"""Pictures and the track of a face → how its mouth looks over time, the head's movement taken out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmer_fairseq.faces.speaker.tracks import Track

# The face is cut with this much around it on each side, to this many pixels.
_AROUND, _SIDE = 0.15, 48

# Shares of the box: the mouth is in the lower part, brows and eyes tell how the head moves.
_MOUTH = (0.55, 1.0, 0.15, 0.85)  # top, bottom, left, right
_UPPER = (0.05, 0.52, 0.10, 0.90)

_FEW, LARGE = 5, 160  # pictures of a track, and their pixels, that tell who it is

_STEPS = 3  # of the alignment
_FARTHEST = 6  # pixels that a picture is moved
_CELL = 2  # pixels of a side: means over cells are quieter than pixels

METHODS = ("shape", "motion")


@dataclass(frozen=True)
class Lips:
    """A mouth over time.

    Attributes:
        track: id.
        index: int [n]: the pictures.
        looks: float64 [n, K]: the K strongest ways in which the mouth changes, largest first, in grey levels.
        moves: float64 [n]: how much it changes from picture to picture, in grey levels.
        activity: how much more the mouth changes than the upper face; near 1: it is still.
    """

    track: int
    index: np.ndarray
    looks: np.ndarray
    moves: np.ndarray
    activity: float


class Cutter:
    """Collects the faces of all tracks in one pass over the pictures."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = tracks
        self._cut: dict[int, list[np.ndarray]] = {track.id: [] for track in tracks}
        self._large: dict[int, list[np.ndarray]] = {track.id: [] for track in tracks}
        self._wanted = {
            track.id: set(np.linspace(track.first, track.last, _FEW).astype(int).tolist()) for track in tracks
        }

    def take(self, frames: Iterable[np.ndarray]) -> None:
        """Cut every face of every picture, uint8 [H, W, 3]."""
        from PIL import Image

        for k, frame in enumerate(frames):
            image = None
            for track in self._tracks:
                box = track.box_at(k)
                if box is None:
                    continue
                if image is None:
                    image = Image.fromarray(frame)
                self._cut[track.id].append(square(image, box, _SIDE))
                if k in self._wanted[track.id]:
                    self._large[track.id].append(square(image, box, LARGE))

    def faces(self, track: Track) -> np.ndarray:
        """float32 [n, 48, 48, 3] of a track."""
        return np.stack(self._cut[track.id])

    def large(self, track: Track) -> np.ndarray:
        """float32 [up to 5, 160, 160, 3], spread over a track: to tell people apart."""
        return np.stack(self._large[track.id])


def square(image: Any, box: Sequence[float] | np.ndarray, side: int) -> np.ndarray:
    """The box of a Pillow image and what is around it, float32 [side, side, 3]; outside its edge goes on."""
    from PIL import Image

    wide, high = max(box[2] - box[0], 2.0), max(box[3] - box[1], 2.0)
    x0, y0 = box[0] - _AROUND * wide, box[1] - _AROUND * high
    x1, y1 = box[2] + _AROUND * wide, box[3] + _AROUND * high
    # a smooth scaled copy: reduced where it is large, so that no pixel is skipped
    scale = min(x1 - x0, y1 - y0) / side
    if scale > 2:
        inner = (max(0.0, x0), max(0.0, y0), min(image.width, x1), min(image.height, y1))
        if (inner[2] - inner[0], inner[3] - inner[1]) == (x1 - x0, y1 - y0):
            return np.asarray(image.resize((side, side), Image.Resampling.BOX, box=inner), np.float32)
    left, top = int(np.floor(x0)), int(np.floor(y0))
    right, bottom = int(np.ceil(x1)) + 1, int(np.ceil(y1)) + 1
    inside = image.crop((max(0, left), max(0, top), min(image.width, right), min(image.height, bottom)))
    part = np.asarray(inside)
    pads = (
        (max(0, -top), max(0, bottom - image.height)),
        (max(0, -left), max(0, right - image.width)),
        (0, 0),
    )
    if any(any(pad) for pad in pads):
        if not part.size:
            return np.zeros((side, side, 3), np.float32)
        part = np.pad(part, pads, mode="edge")
    where = (x0 - left, y0 - top, x1 - left, y1 - top)
    method = Image.Resampling.BOX if scale > 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(part).resize((side, side), method, box=where), np.float32)


def _part(shares: Sequence[float]) -> tuple[slice, slice]:
    unit = _SIDE / (1 + 2 * _AROUND)
    start = _AROUND * unit
    top, bottom, left, right = (round(start + share * unit) for share in shares)
    return slice(top, min(bottom, _SIDE)), slice(left, min(right, _SIDE))


def read_lips(track: Track, faces: np.ndarray, ways: int = 3) -> Lips:
    """How the mouth of a track looks over time.

    Args:
        track: whose ``points``, where the detector gives them, tell where the mouth is; else it is in the lower part.
        faces: of :class:`Cutter`.
        ways: K.
    """
    faces, movement = _aligned(faces)
    upper = faces[(slice(None), *_part(_UPPER))]
    light = np.median(upper.reshape(len(upper), -1), axis=1)
    light = np.maximum(light, 1.0)
    gain = (np.median(light) / light).astype(np.float32)
    faces = faces * gain[:, None, None, None]
    mouth = _cells(faces[(slice(None), *_part(_mouth_of(track)))])
    upper = _cells(faces[(slice(None), *_part(_UPPER))])
    n = len(faces)
    index = track.first + np.arange(n)
    trend = np.linspace(-1, 1, n)
    nuisance = np.column_stack([np.ones(n), trend, movement, gain - gain.mean()])
    mouth, upper = _without(mouth, nuisance), _without(upper, nuisance)
    noise = np.sqrt(np.mean(upper**2)) + 0.3
    activity = float(np.sqrt(np.mean(mouth**2)) / noise)
    if n < 4:
        return Lips(track.id, index, np.zeros((n, 1)), np.zeros(n), activity)
    left, strength, _ = np.linalg.svd(mouth, full_matrices=False)
    keep = min(ways, len(strength))
    looks = left[:, :keep] * strength[:keep] / np.sqrt(mouth.shape[1])
    step = np.sqrt(np.mean(np.diff(mouth, axis=0) ** 2, axis=1))
    moves = np.concatenate([step[:1], step])
    return Lips(track.id, index, looks, moves, activity)


def _mouth_of(track: Track) -> Sequence[float]:
    if track.points is None:
        return _MOUTH
    (left, right) = track.points[3], track.points[4]
    middle = (left + right) / 2
    half = max(0.22, 0.75 * abs(right[0] - left[0]))
    return (
        float(np.clip(middle[1] - 0.20, 0.4, 0.8)),
        float(np.clip(middle[1] + 0.26, 0.8, 1.12)),
        float(np.clip(middle[0] - half, 0.0, 0.5)),
        float(np.clip(middle[0] + half, 0.5, 1.0)),
    )


def _cells(pictures: np.ndarray) -> np.ndarray:
    """[n, h, w, 3] → means over small squares, [n, cells]."""
    n, height, width, _ = pictures.shape
    height, width = height // _CELL * _CELL, width // _CELL * _CELL
    cut = pictures[:, :height, :width].reshape(n, height // _CELL, _CELL, width // _CELL, _CELL, 3)
    return cut.mean(axis=(2, 4)).reshape(n, -1).astype(np.float64)


def _without(values: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """What is left of each column when all that the nuisance explains is taken out."""
    basis, _ = np.linalg.qr(nuisance + 1e-9 * np.eye(*nuisance.shape))
    return values - basis @ (basis.T @ values)


def _aligned(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each picture so that its upper face lies on the median one.

    Returns:
        The pictures, and [n, 2] pixels by which each was moved.

    Source: Lucas and Kanade 1981, for one translation of the whole region.
    """
    from scipy import ndimage

    rows, columns = _part(_UPPER)
    grey = ndimage.gaussian_filter(faces.mean(axis=3), (0, 1.0, 1.0))
    moved = np.zeros((len(faces), 2))
    now = grey
    for _ in range(_STEPS):
        region = now[:, rows, columns]
        region = region / np.maximum(np.median(region, axis=(1, 2), keepdims=True), 1.0)
        template = np.median(region, axis=0)
        down, across = np.gradient(template)
        design = np.column_stack([down.ravel(), across.ravel(), np.ones(down.size)])
        solve = np.linalg.pinv(design)
        shift = (region - template).reshape(len(region), -1) @ solve.T
        moved = np.clip(moved + np.clip(shift[:, :2], -1.5, 1.5), -_FARTHEST, _FARTHEST)
        now = _moved(grey, moved)
    return _moved(faces, moved), moved


def _moved(pictures: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Each picture [n, h, w, …] moved ``by`` pixels (down, right), bilinear; edges go on."""
    height, width = pictures.shape[1:3]
    more = _FARTHEST + 1
    rest = [(0, 0)] * (pictures.ndim - 3)
    result = np.empty_like(pictures)
    for k, picture in enumerate(pictures):
        wide = np.pad(picture, [(more, more), (more, more), *rest], mode="edge")
        (down, right), (u, v) = np.floor(-by[k]).astype(int), (-by[k] - np.floor(-by[k])).astype(np.float32)
        top, left = more + down, more + right
        part = wide[top : top + height + 1, left : left + width + 1]
        part = part[:, :-1] * (1 - v) + part[:, 1:] * v
        result[k] = part[:-1] * (1 - u) + part[1:] * u
    return result
