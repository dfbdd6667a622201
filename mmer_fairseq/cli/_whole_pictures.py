"""The whole pictures that the faces of ``mmer faces`` were cut from, for ``mmer explain --original``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import NOTE, Moment, Task, finished
from mmer_fairseq.faces.crop import Region, region
from mmer_fairseq.faces.new_corpus import Source
from mmer_fairseq.faces.settings import PLAN
from mmer_fairseq.media.picture_folder import (
    crop_numbers,
    is_picture_folder,
    load_pictures,
    picture_numbers,
)
from mmer_fairseq.media.video import frames_in_parts

_PART = 16  # pictures decoded together


def whole_pictures(
    original: str, clip: Clip, options: RawOptions, wanted: Sequence[int]
) -> dict[int, tuple[np.ndarray, Region]]:
    """Find them.

    Args:
        original: folder of the corpus whose faces were cut out.
        clip: whose video is a folder of crops.
        options: how the model reads it.
        wanted: which of the pictures that the model reads.

    Returns:
        Wanted picture → uint8 [H, W, 3], and where in it the face was cut out.

    Raises:
        InputError: the crops are not of ``mmer faces``, or were not cut from this corpus as it is now.
    """
    folder = Path(clip.media["video"])
    try:
        rate = float(json.loads((folder / NOTE).read_text(encoding="utf-8"))["source"]["rate"])
        plan = json.loads((folder.parent / PLAN).read_text(encoding="utf-8"))
        margin, size = int(plan["margin"]), int(plan["size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError.of(
            where=clip.where,
            expected=f"a folder of faces with {NOTE}, as mmer faces writes it",
            found=f"'{clip.media['video']}'",
            remedy="leave out --original",
        ) from error
    source = Source.load(original)
    known = {each.id: each for each in source.with_video}
    if clip.id not in known:
        raise InputError.of(
            where=f"--original {original}",
            expected=f"the corpus that the faces of '{clip.id}' were cut from",
            found="no such clip with a video",
            remedy=hint(clip.id, known, "name the corpus that mmer faces was given"),
        )
    task = Task(known[clip.id], folder, rate, source.picture_rate(known[clip.id]))
    moments = finished(task)
    if moments is None:
        raise InputError.of(
            where=known[clip.id].where,
            expected=f"the video that the faces in {folder} were cut from",
            found="another one, or other times",
            remedy="run mmer faces again, or leave out --original",
        )
    cut = [moments[k] for k in _cut(clip, options, wanted)]
    pictures = _pictures(task, sorted({moment.number for moment in cut}))
    return {k: (pictures[m.number], _where(m, pictures[m.number], margin, size)) for k, m in zip(wanted, cut)}


def _cut(clip: Clip, options: RawOptions, wanted: Sequence[int]) -> list[int]:
    """Places among the moments of the crops that the model gets to see."""
    folder, (start, end) = clip.media["video"], clip.picture_span
    rate = options.picture_rate if clip.rate is None else clip.rate
    numbers = crop_numbers(
        folder,
        start=start,
        end=end,
        rate=rate,
        frame_rate=options.frame_rate,
        hold_gaps=options.holds_gaps(clip),
    )
    there = picture_numbers(folder)
    rows = np.maximum(np.searchsorted(there, numbers[list(wanted)], side="right") - 1, 0)
    return [int(number) - 1 for number in there[rows]]


def _pictures(task: Task, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    """Moment, counted from 1 → its picture."""
    clip, path = task.clip, task.clip.media["video"]
    if is_picture_folder(path):
        start, end = clip.picture_span
        shown = crop_numbers(path, start=start, end=end, rate=task.picture_rate, frame_rate=task.rate)
        loaded = load_pictures(path, [int(shown[number - 1]) for number in numbers], where=clip.where)
        return dict(zip(numbers, loaded.permute(0, 2, 3, 1).numpy()))
    found, number = {}, 0
    for frames, _ in frames_in_parts(
        path, _PART, start=clip.start, end=clip.end, rate=task.rate, where=clip.where
    ):
        for frame in frames:
            number += 1
            if number in numbers:
                found[number] = frame.permute(1, 2, 0).numpy().copy()
    return found


def _where(moment: Moment, picture: np.ndarray, margin: int, size: int) -> Region:
    assert moment.box is not None  # it has a crop
    return region(moment.box, margin, size, picture.shape[1], picture.shape[0])
