"""One clip: its pictures → the crops of its faces and a note of each moment, a folder that appears whole."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.write import writing
from mmer_fairseq.faces.crop import as_jpeg, centre_box, cut, region, shrunk
from mmer_fairseq.faces.detectors import Box, Detector, Face
from mmer_fairseq.faces.follow import FALLBACK, FOUND, NONE, Follower
from mmer_fairseq.faces.settings import Settings
from mmer_fairseq.media.picture_folder import crop_numbers, is_picture_folder, load_pictures
from mmer_fairseq.media.video import frames_in_parts

NOTE = "faces.json"
_FORMAT = "mmer faces 1"

# Pictures decoded, and given to the detector, together.
_PART = 16


@dataclass(frozen=True)
class Moment:
    """One picture of a clip that was looked at.

    Attributes:
        number: from 1; the name of its crop.
        how: ``found``, ``held``, ``fallback`` or ``none`` (no crop).
        box: of the face, without margin, in pixels of the upright picture.
        score: of the detector.
        track: id of the track, from 1; 0: none.
    """

    number: int
    how: str
    box: Box | None = None
    score: float | None = None
    track: int = 0


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of one clip.

    Attributes:
        clip: has a video as a medium.
        folder: where its crops go.
        rate: pictures a second, in Hz.
        picture_rate: that the numbers count, where its video is a folder of pictures.
        side: ``left`` or ``right``: faces whose middle is in the other half of the picture are another person's; '':
            all may be the clip's.
    """

    clip: Clip
    folder: Path
    rate: float
    picture_rate: float
    side: str = ""

    @property
    def source(self) -> dict[str, Any]:
        """What the crops were cut from: when it changes they are out of date."""
        path, (start, end) = self.clip.media["video"], self.clip.picture_span
        if not is_picture_folder(path):
            start, end = self.clip.start, self.clip.end
        size = os.path.getsize(path) if os.path.isfile(path) else 0
        told = {"video": os.path.basename(path), "bytes": size, "start": start, "end": end, "rate": self.rate}
        return {**told, "side": self.side} if self.side else told


def find(task: Task, settings: Settings, detector: Detector) -> tuple[list[Moment], dict[int, bytes]]:
    """Look for the faces of a clip.

    Returns:
        Every moment k / rate from the clip's beginning, and number of the picture → crop, encoded.

    Raises:
        InputError: the video is at fault.
    """
    hold = int(settings.hold * task.rate + 1e-6)
    follower = Follower(hold, largest=settings.face == "largest")
    fallbacks: dict[int, tuple[Box, bytes]] = {}
    number = 0
    for part in pictures(task):
        for picture, faces in zip(part, detect(part, detector, settings.detect_size)):
            number += 1

            def crop(box: Box, picture: np.ndarray = picture) -> bytes:
                height, width = picture.shape[:2]
                where = region(box, settings.margin, settings.size, width, height)
                return as_jpeg(cut(picture, where, settings.size))

            height, width = picture.shape[:2]
            middle = centre_box(width, height, task.side)
            if task.side:
                whole = settings.detector == "centre"
                faces = [Face(middle, 1.0)] if whole else on_side(faces, task.side, width)
            follower.step(number, faces, crop)
            if settings.fallback == "centre":
                box = middle
                fallbacks[number] = box, crop(box)
    chosen = follower.chosen()
    moments, crops = [], {}
    for k in range(1, number + 1):
        if k in chosen:
            track, sight = chosen[k]
            how = FALLBACK if settings.detector == "centre" else sight.how
            score = sight.score if how == FOUND else None
            moments.append(Moment(k, how, sight.box, score, track if how != FALLBACK else 0))
            crops[k] = sight.crop
        elif k in fallbacks:
            moments.append(Moment(k, FALLBACK, fallbacks[k][0]))
            crops[k] = fallbacks[k][1]
        else:
            moments.append(Moment(k, NONE))
    return moments, crops


def on_side(faces: list[Face], side: str, width: int) -> list[Face]:
    """The faces whose middle is in that half of a picture ('': all)."""
    if not side:
        return faces
    return [face for face in faces if (face.box[0] + face.box[2] < width) == (side == "left")]


def pictures(task: Task) -> Iterator[list[np.ndarray]]:
    """The pictures on the screen at each moment, uint8 [H, W, 3], some at a time."""
    clip = task.clip
    path = clip.media["video"]
    if not is_picture_folder(path):
        parts = frames_in_parts(path, _PART, start=clip.start, end=clip.end, rate=task.rate, where=clip.where)
        for pictures, _ in parts:
            yield list(pictures.permute(0, 2, 3, 1).numpy())
        return
    start, end = clip.picture_span
    numbers = crop_numbers(
        path, start=start, end=end, rate=task.picture_rate, frame_rate=task.rate, where=clip.where
    )
    for at in range(0, len(numbers), _PART):
        pictures = load_pictures(path, numbers[at : at + _PART], where=clip.where)
        yield list(pictures.permute(0, 2, 3, 1).numpy())


def detect(pictures: list[np.ndarray], detector: Detector, shorter: int) -> list[list[Face]]:
    """Faces in pixels of the pictures, those that lie in them with a pixel at least.

    Args:
        pictures: uint8 [H, W, 3] each, of one size.
        detector: gets them with at most ``shorter`` pixels on the shorter side (0: as they are).
        shorter: in pixels.
    """
    small = [np.ascontiguousarray(shrunk(picture, shorter)) for picture in pictures]
    result = []
    for picture, seen, faces in zip(pictures, small, detector(small)):
        height, width = picture.shape[:2]
        across, down = width / seen.shape[1], height / seen.shape[0]
        good = []
        for face in faces:
            x0, y0, x1, y1 = face.box
            box = (x0 * across, y0 * down, x1 * across, y1 * down)
            left, top, right, bottom = region(box, 0, 1, width, height)
            if right > left and bottom > top:
                points = face.points and tuple((x * across, y * down) for x, y in face.points)
                good.append(Face(box, face.score, points))
        result.append(good)
    return result


def save(task: Task, moments: list[Moment], crops: dict[int, bytes]) -> None:
    """Write the folder of a clip: whole or not at all."""
    scratch = task.folder.with_name(f".{task.folder.name}.{os.getpid()}")
    rows = [
        [
            m.number,
            m.how,
            None if m.box is None else [round(x, 2) for x in m.box],
            m.score and round(m.score, 4),
            m.track,
        ]
        for m in moments
    ]
    note = {"format": _FORMAT, "clip": task.clip.id, "source": task.source, "moments": rows}
    with writing(task.folder):
        try:
            scratch.mkdir(parents=True)
            for number, crop in crops.items():
                (scratch / f"{number:05d}.jpg").write_bytes(crop)
            with open(scratch / NOTE, "w", encoding="utf-8") as file:
                json.dump(note, file, ensure_ascii=False, separators=(",", ":"))
                file.flush()
                os.fsync(file.fileno())
            if task.folder.exists():
                shutil.rmtree(task.folder)
            os.replace(scratch, task.folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def finished(task: Task) -> list[Moment] | None:
    """The moments of a clip that is done, with all its pictures there; None: it is not, or not as it is now."""
    try:
        note = json.loads((task.folder / NOTE).read_text(encoding="utf-8"))
        if note["format"] != _FORMAT or note["clip"] != task.clip.id or note["source"] != task.source:
            return None
        moments = [
            Moment(int(number), str(how), None if box is None else tuple(box), score, int(track))
            for number, how, box, score, track in note["moments"]
        ]
        with os.scandir(task.folder) as entries:
            there = {entry.name for entry in entries if entry.stat().st_size}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    wanted = {f"{moment.number:05d}.jpg" for moment in moments if moment.how != NONE}
    return moments if there == wanted | {NOTE} else None


def counts(moments: list[Moment]) -> Counter[str]:
    """How many pictures of each kind."""
    return Counter(moment.how for moment in moments)
