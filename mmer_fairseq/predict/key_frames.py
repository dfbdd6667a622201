"""Faces of a recording for its timeline: a few moments, the most prominent face of each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import detect
from mmer_fairseq.faces.crop import cut, region
from mmer_fairseq.faces.detectors import DETECTORS, PREFERRED, Detector
from mmer_fairseq.media.picture_folder import is_picture_folder, load_pictures, picture_numbers
from mmer_fairseq.media.video import load_frames

logger = logging.getLogger(__name__)

#: Pixels of a face in the picture, and of the margin around it.
SIZE, MARGIN = 128, 40
#: Pixels that the detector gets on the shorter side, and of the smallest face.
_DETECT, _SMALLEST = 360, 20


def moments(spans: Sequence[tuple[float, float]], seconds: float, count: int) -> list[float]:
    """Times inside spans, one at most in each of ``count`` equal parts of the recording."""
    found = []
    for part in range(count):
        low, high = part * seconds / count, (part + 1) * seconds / count
        middle = (low + high) / 2
        inside = [(max(low, a), min(high, b)) for a, b in spans if a < high and b > low]
        if inside:
            best = min(inside, key=lambda span: max(span[0] - middle, middle - span[1], 0.0))
            found.append(min(max(middle, best[0]), best[1] - 0.01 * (best[1] - best[0])))
    return found


def key_faces(path: Path, times: Sequence[float], picture_rate: float) -> list[tuple[float, np.ndarray]]:
    """The most prominent face at each time, or the picture's middle where none is found.

    Args:
        path: a video or a folder of pictures.
        times: in seconds; where no picture can be read there is none.
        picture_rate: of a folder, in Hz.

    Returns:
        (time, uint8 [S, S, 3]).
    """
    detector = _detector()
    found = []
    for time in times:
        try:
            picture = _picture(path, time, picture_rate)
        except InputError as error:
            logger.debug("no picture at %.1f s: %s", time, error)
            continue
        found.append((time, _face(picture, detector)))
    return found


def _detector() -> Detector | None:
    for name in PREFERRED:
        if not DETECTORS[name].fault():
            return DETECTORS[name].build(_SMALLEST, "cpu")
    return None


def _picture(path: Path, time: float, rate: float) -> np.ndarray:
    if is_picture_folder(path):
        numbers = picture_numbers(path)
        picture = load_pictures(path, [min(int(time * rate) + 1, int(numbers[-1]))])[0]
    else:
        picture = load_frames(path, start=time, rate=25.0, max_frames=1)[0][0]
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def _face(picture: np.ndarray, detector: Detector | None) -> np.ndarray:
    height, width = picture.shape[:2]
    faces = detect([picture], detector, _DETECT)[0] if detector is not None else []
    if faces:
        box = max(faces, key=lambda face: face.score * (face.box[2] - face.box[0])).box
        return cut(picture, region(box, MARGIN, SIZE, width, height), SIZE)
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    return cut(picture, (left, top, left + side, top + side), SIZE)
