"""Faces of a few pictures of each shot → tracks: one box a picture, of one person, never over a cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmer_fairseq.faces.detectors import Face

# A cut: so many grey levels between thumbnails, and so many times what is usual around it.
_CUT_LEVELS, _CUT_TIMES = 5.0, 4.0
_CUT_WINDOW = 12  # pictures
_CUT_LEAST = 4  # pictures of a shot
_BESIDE = 2

# Side of the thumbnails in cells.
_THUMB = 24

# Two boxes a moment apart are of one face: intersection over union at least, or as near and of like size.
_SHARED, _NEAR, _ALIKE = 0.25, 0.7, 0.5


@dataclass
class Track:
    """One person in one shot.

    Attributes:
        id: from 1, in the order of shots and appearance.
        shot: from 0.
        first: index of its first picture.
        boxes: float64 [n, 4], (x0, y0, x1, y1) in pixels, of the pictures ``first`` … ``first + n − 1``.
        seen: pictures in which the detector found it.
        looked: pictures of its time in which the detector looked.
        score: mean of the detector.
        points: float64 [5, 2] or None: eyes, nose, corners of the mouth, as shares of the box from its upper left.
    """

    id: int
    shot: int
    first: int
    boxes: np.ndarray
    seen: int = 1
    looked: int = 1
    score: float = 1.0
    points: np.ndarray | None = None

    @property
    def last(self) -> int:
        return self.first + len(self.boxes) - 1

    def box_at(self, index: int) -> np.ndarray | None:
        """Its box in a picture; None: it is not there."""
        return self.boxes[index - self.first] if self.first <= index <= self.last else None


def thumbnail(frame: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] → means of a few cells, float32 [24, 24, 3]."""
    height, width = frame.shape[:2]
    step = max(1, min(height, width) // (4 * _THUMB))  # every pixel is not needed for a mean
    part = frame[::step, ::step].astype(np.float32)
    rows = np.linspace(0, part.shape[0], _THUMB + 1)[:-1].astype(int)
    columns = np.linspace(0, part.shape[1], _THUMB + 1)[:-1].astype(int)
    sums = np.add.reduceat(np.add.reduceat(part, rows, axis=0), columns, axis=1)
    counts = (
        np.diff(np.append(rows, part.shape[0]))[:, None] * np.diff(np.append(columns, part.shape[1]))[None]
    )
    return sums / np.maximum(counts, 1)[..., None]


def find_cuts(frames: Iterable[np.ndarray]) -> tuple[list[int], int]:
    """Where a shot ends and another begins.

    Args:
        frames: uint8 [H, W, 3], in the order of time.

    Returns:
        Index of the first picture of every shot but the first, and the number of pictures. Flicker of the light is
        no cut, because thumbnails are compared at the same brightness.
    """
    thumbs = [thumbnail(frame) for frame in frames]
    change = np.array([_change(thumbs, k) for k in range(1, len(thumbs))])
    cuts: list[int] = []
    for k in np.argsort(-change, kind="stable"):
        if change[k] <= _CUT_LEVELS:
            break
        near = [c - 1 for c in cuts if abs(c - 1 - k) <= _CUT_WINDOW]
        first = max(0, k - _CUT_WINDOW)
        around = np.delete(change[first : k + _CUT_WINDOW + 1], [n - first for n in near])
        if change[k] > _CUT_TIMES * np.median(around) and all(abs(n - k) > _CUT_LEAST for n in near):
            cuts.append(int(k) + 1)
    return sorted(cuts), len(thumbs)


def _change(thumbs: Sequence[np.ndarray], k: int) -> float:
    """How unlike the pictures before and from ``k`` on are: what flickers is like one of those beside it."""
    return min(
        float(np.abs((old.mean() + 1.0) / (new.mean() + 1.0) * new - old).mean())
        for old in thumbs[max(0, k - _BESIDE) : k]
        for new in thumbs[k : k + _BESIDE]
    )


def places_to_look(cuts: Sequence[int], count: int, step: int) -> list[int]:
    """Indices of the pictures that the detector gets: every ``step``-th of each shot, its first and its last one."""
    edges = [0, *cuts, count]
    wanted: set[int] = set()
    for first, end in zip(edges, edges[1:]):
        if end > first:
            wanted |= set(range(first, end, step)) | {end - 1}
    return sorted(wanted)


def box_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    shared = wide * high
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


@dataclass
class _Open:
    shot: int
    indices: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)


def follow_all(
    faces: Mapping[int, Sequence[Face]],
    cuts: Sequence[int],
    count: int,
    *,
    how: str = "hungarian",
    patience: int = 4,
    share: float = 0.2,
) -> list[Track]:
    """Join the faces of successive pictures.

    Args:
        faces: index of a picture that was looked at → its faces.
        cuts: as :func:`find_cuts` gives them.
        count: of the pictures.
        how: ``hungarian`` (the best pairs as a whole) or ``greedy`` (the nearest pair first; needs no SciPy).
        patience: looks without the face after which a track ends.
        share: of the looks in its time in which a face must be found, or it was none.

    Returns:
        Tracks whose boxes are interpolated between the looks, reaching to the shot's ends where the face was
        there at its first or last look.
    """
    shot_of = np.searchsorted(np.array(cuts, dtype=int), np.arange(count), side="right")
    looks = sorted(faces)
    done: list[_Open] = []
    live: list[_Open] = []
    for place, index in enumerate(looks):
        shot = int(shot_of[index])
        keep: list[_Open] = []
        for track in live:
            late = place - looks.index(track.indices[-1]) > patience
            (done if late or track.shot != shot else keep).append(track)
        live = keep
        here = list(faces[index])
        pairs = _paired(live, here, how)
        taken = set()
        for which, number in pairs:
            live[which].indices.append(index)
            live[which].faces.append(here[number])
            taken.add(number)
        for number, face in enumerate(here):
            if number not in taken:
                live.append(_Open(shot, [index], [face]))
    done += live
    edges = [0, *cuts, count]
    tracks: list[Track] = []
    for track in sorted(done, key=lambda t: (t.shot, t.indices[0], t.faces[0].box)):
        inside = [i for i in looks if track.indices[0] <= i <= track.indices[-1]]
        in_shot = [i for i in looks if shot_of[i] == track.shot]
        if len(track.indices) < max(1.0, share * len(in_shot)) or (
            len(in_shot) > 3 and len(track.indices) < 2
        ):
            continue
        tracks.append(_finished(track, len(tracks) + 1, in_shot, inside, edges))
    return tracks


def _finished(
    track: _Open, number: int, in_shot: Sequence[int], inside: Sequence[int], edges: Sequence[int]
) -> Track:
    first, last = track.indices[0], track.indices[-1]
    # a look missed at the edge of a shot is more likely than a face that came or went
    if first in in_shot[:2]:
        first = edges[track.shot]
    if last in in_shot[-2:]:
        last = edges[track.shot + 1] - 1
    boxes = np.array([face.box for face in track.faces], dtype=np.float64)
    boxes = _steady(boxes)
    at = np.arange(first, last + 1)
    full = np.stack([np.interp(at, track.indices, boxes[:, c]) for c in range(4)], axis=1)
    points = [_shares(face) for face in track.faces if face.points is not None]
    return Track(
        number,
        track.shot,
        first,
        full,
        len(track.indices),
        len(inside),
        float(np.mean([face.score for face in track.faces])),
        np.median(np.stack(points), axis=0) if points else None,
    )


def _steady(boxes: np.ndarray) -> np.ndarray:
    """Sizes jump more than faces do: the median size, around centres without outliers."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.median(boxes[:, 2:] - boxes[:, :2], axis=0) / 2
    local = (boxes[:, 2:] - boxes[:, :2]) / 2
    if len(boxes) > 2 and (local.max(axis=0) > 1.6 * local.min(axis=0)).any():
        half = np.stack([_median_of_three(local[:, c]) for c in range(2)], axis=1)  # it comes nearer
    if len(boxes) > 2:
        centre = np.stack([_median_of_three(centre[:, c]) for c in range(2)], axis=1)
    return np.concatenate([centre - half, centre + half], axis=1)


def _median_of_three(values: np.ndarray) -> np.ndarray:
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)


def _shares(face: Face) -> np.ndarray:
    x0, y0, x1, y1 = face.box
    assert face.points is not None
    return (np.array(face.points) - (x0, y0)) / (max(x1 - x0, 1e-6), max(y1 - y0, 1e-6))


def _paired(live: Sequence[_Open], faces: Sequence[Face], how: str) -> list[tuple[int, int]]:
    """(track, face) pairs that may be one person."""
    if not live or not faces:
        return []
    likeness = np.array([[_likeness(track.faces[-1].box, face.box) for face in faces] for track in live])
    if how == "hungarian":
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(-likeness)
        pairs = list(zip(rows.tolist(), columns.tolist()))
    else:
        pairs, rest = [], likeness.copy()
        while (rest > 0).any():
            row, column = np.unravel_index(int(rest.argmax()), rest.shape)
            pairs.append((int(row), int(column)))
            rest[row], rest[:, column] = 0.0, 0.0
    return [(row, column) for row, column in pairs if likeness[row, column] > 0]


def _likeness(a: Sequence[float], b: Sequence[float]) -> float:
    """Above 0 where two boxes may be of one face."""
    small, large = sorted([(a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])])
    if small <= 0:
        return 0.0
    overlap = box_overlap(a, b)
    moved = np.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2 / np.sqrt(large)
    near = moved <= _NEAR and small / large >= _ALIKE
    return float(1.0 + overlap - 0.5 * moved) if overlap >= _SHARED or near else 0.0
