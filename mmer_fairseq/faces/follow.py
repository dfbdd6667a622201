"""Faces of successive pictures → tracks of one person each → at most one face a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from mmer_fairseq.faces.detectors import Box, Face

FOUND, HELD, FALLBACK, NONE = "found", "held", "fallback", "none"

# The same face a moment later: it covers much of its old place, or it is near and of similar size.
_SHARED = 0.3  # intersection over union
_MOVED = 1.0  # of its mean side
_GROWN = 0.5  # smaller area over larger


@dataclass(frozen=True)
class Sight:
    """A face in one picture.

    Attributes:
        number: of the picture, from 1.
        box: (x0, y0, x1, y1) in pixels.
        score: of the detector; 0 where the box is an earlier one.
        how: ``found``, or ``held`` where the box is that of an earlier picture.
        crop: the finished crop, encoded.
    """

    number: int
    box: Box
    score: float
    how: str
    crop: bytes


@dataclass
class Track:
    """One person, as far as can be told from boxes.

    Attributes:
        id: from 1, in the order of appearance.
        sights: in the order of their pictures.
        waiting: pictures since the last sight, in which the face was not found: bridged if it appears again.
    """

    id: int
    sights: list[Sight] = field(default_factory=list)
    waiting: list[Sight] = field(default_factory=list)

    @property
    def weight(self) -> float:
        """Summed area × score of the pictures in which the face was found."""
        return sum(area(sight.box) * sight.score for sight in self.sights if sight.how == FOUND)

    @property
    def span(self) -> tuple[int, int]:
        """First and last picture."""
        return self.sights[0].number, self.sights[-1].number


class Follower:
    """Takes the faces of one picture after the other.

    Args:
        hold: pictures without a face that are bridged at most.
        largest: take the largest face of each picture, whoever it is; all are one track.
    """

    def __init__(self, hold: int, *, largest: bool = False) -> None:
        self.hold, self.largest = hold, largest
        self.tracks: list[Track] = []

    def step(self, number: int, faces: Sequence[Face], crop: Callable[[Box], bytes]) -> None:
        """Take the faces of picture ``number``; ``crop`` cuts one out of it."""
        if self.largest and faces:
            faces = [max(faces, key=lambda face: area(face.box))]
        live = [track for track in self.tracks if number - track.sights[-1].number - 1 <= self.hold]
        matched = self._matches(live, faces)
        for track in live:
            if track.id not in matched and len(track.waiting) < self.hold:
                box = track.sights[-1].box
                track.waiting.append(Sight(number, box, 0.0, HELD, crop(box)))
        owner = {index: track_id for track_id, index in matched.items()}
        for index, face in enumerate(faces):
            if index in owner:
                track = self.tracks[owner[index] - 1]
                track.sights += track.waiting
                track.waiting = []
            elif self.largest and self.tracks:
                track = self.tracks[0]
                track.waiting = []
            else:
                track = Track(len(self.tracks) + 1)
                self.tracks.append(track)
            track.sights.append(Sight(number, face.box, face.score, FOUND, crop(face.box)))

    def _matches(self, live: Sequence[Track], faces: Sequence[Face]) -> dict[int, int]:
        """Track id → index of its face; the closest pairs first."""
        if self.largest:
            return {track.id: 0 for track in live if faces}
        pairs = []
        for track in live:
            for index, face in enumerate(faces):
                likeness = _likeness(track.sights[-1].box, face.box)
                if likeness is not None:
                    pairs.append((-likeness, track.id, index))
        matched: dict[int, int] = {}
        for _, track_id, index in sorted(pairs):
            if track_id not in matched and index not in matched.values():
                matched[track_id] = index
        return matched

    def chosen(self) -> dict[int, tuple[int, Sight]]:
        """Number of the picture → (track id, the face in it).

        The heaviest track is the person. Another one is taken as well only where it shares no moment with those taken
        before: who was seen beside the person is somebody else, who was not may be the person after a cut.
        """
        taken: list[Track] = []
        for track in sorted(self.tracks, key=lambda track: (-track.weight, track.id)):
            first, last = track.span
            if all(last < other.span[0] or other.span[1] < first for other in taken):
                taken.append(track)
        return {sight.number: (track.id, sight) for track in taken for sight in track.sights}


def area(box: Box) -> float:
    """Square pixels of a box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _likeness(a: Box, b: Box) -> float | None:
    """How alike two boxes are (the larger the more); None: they are of different faces."""
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    small, large = sorted((area(a), area(b)))
    if small <= 0:
        return None
    overlap = shared / (small + large - shared)
    moved = math.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2
    moved /= math.sqrt((small + large) / 2)
    if overlap >= _SHARED or (moved <= _MOVED and small / large >= _GROWN):
        return overlap - moved
    return None
