"""Pictures → the tracks of all faces in them, by a detector, by two, or from boxes that somebody else found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Union

import numpy as np

from mmer_fairseq.faces.clip_faces import detect
from mmer_fairseq.faces.detectors import Detector, Face
from mmer_fairseq.faces.speaker.tracks import Track, follow_all, places_to_look

#: Boxes of one picture: (x0, y0, x1, y1) in pixels each, or faces.
Boxes = Sequence[Union[Sequence[float], Face]]

_PART = 16  # pictures that the detector gets together
_RARE = 4  # of so many looks the helper takes one, until it finds somebody new


def given(boxes: Mapping[int, Boxes] | Sequence[Boxes]) -> dict[int, list[Face]]:
    """Index of a picture → faces, from boxes of each picture or of some."""
    pairs = boxes.items() if isinstance(boxes, Mapping) else enumerate(boxes)
    return {
        int(index): [
            box
            if isinstance(box, Face)
            else Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), 1.0)
            for box in some
        ]
        for index, some in pairs
    }


def look_for(
    frames: Iterable[np.ndarray],
    cuts: Sequence[int],
    count: int,
    detector: Detector,
    *,
    step: int,
    helper: Detector | None = None,
    shorter: int = 360,
    tracker: str = "hungarian",
) -> list[Track]:
    """The tracks of everybody.

    Args:
        frames: uint8 [H, W, 3]; gone through once or twice.
        cuts: see :func:`~mmer_fairseq.faces.speaker.tracks.find_cuts`.
        count: of the pictures.
        detector: that is trusted.
        step: pictures from one look to the next.
        helper: finds faces that the detector does not know, as drawn ones.
        shorter: pixels of the shorter side that the detectors get, at most (0: as they are).
        tracker: see :func:`follow_all`.
    """
    places = places_to_look(cuts, count, step)
    if helper is None:
        return follow_all(_detected(frames, places, detector, shorter), cuts, count, how=tracker)
    known = _detected(frames, places, detector, shorter)
    rare = _detected(frames, places[::_RARE], helper, shorter)
    tracks = follow_all(known, cuts, count, how=tracker)
    if not any(_new(face, tracks, index) for index, faces in rare.items() for face in faces):
        return tracks
    rest = [place for place in places if place not in rare]
    more = {**rare, **_detected(frames, rest, helper, shorter)}
    return joined(tracks, follow_all(more, cuts, count, how=tracker))


def _detected(
    frames: Iterable[np.ndarray], places: Sequence[int], detector: Detector, shorter: int
) -> dict[int, list[Face]]:
    wanted = set(places)
    result: dict[int, list[Face]] = {}
    waiting: list[tuple[int, np.ndarray]] = []

    def empty() -> None:
        found = detect([picture for _, picture in waiting], detector, shorter)
        result.update({index: faces for (index, _), faces in zip(waiting, found)})
        waiting.clear()

    for index, frame in enumerate(frames):
        if index in wanted:
            if waiting and waiting[0][1].shape != frame.shape:
                empty()
            waiting.append((index, frame))
            if len(waiting) == _PART:
                empty()
    if waiting:
        empty()
    return result


def _new(face: Face, tracks: Sequence[Track], index: int) -> bool:
    """Whether no track has this face, or only one that the detector mostly misses."""
    for track in tracks:
        box = track.box_at(index)
        if box is not None and _same(face.box, box) and track.seen >= 0.8 * track.looked:
            return False
    return True


def joined(tracks: Sequence[Track], others: Sequence[Track]) -> list[Track]:
    """Both, each person once: of two tracks of a face the one found more often stays, the first where they tie."""
    kept = sorted([*tracks, *others], key=lambda t: (-round(t.seen / max(t.looked, 1), 1), -len(t.boxes)))
    result: list[Track] = []
    for track in kept:
        if not any(_overlap(track, other) for other in result):
            result.append(track)
    result.sort(key=lambda t: (t.shot, t.first, tuple(t.boxes[0])))
    for number, track in enumerate(result, 1):
        track.id = number
    return result


def _overlap(a: Track, b: Track) -> bool:
    first, last = max(a.first, b.first), min(a.last, b.last)
    if a.shot != b.shot or first > last:
        return False
    middle = (first + last) // 2
    one, other = a.box_at(middle), b.box_at(middle)
    return one is not None and other is not None and (_same(one, other) or _same(other, one))


def _same(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> bool:
    """Whether the middle of one box lies well inside the other."""
    x, y = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2
    wide, high = b[2] - b[0], b[3] - b[1]
    return bool(b[0] + 0.1 * wide < x < b[2] - 0.1 * wide and b[1] + 0.1 * high < y < b[3] - 0.1 * high)
