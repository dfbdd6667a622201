"""A folder of numbered pictures as a video: ``00001.jpg``, ``00002.jpg``, …, where numbers may be missing.

Face trackers write such folders (Aff-Wild2's ``cropped_aligned``): picture k is frame k of the video, counted from
1, and a frame without a face has none. Frame k is on the screen from (k − 1) / rate seconds on. A missing frame is
shown as the nearest one before it, what lies before the first as the first.

One picture (``face.png``) is read as a folder that holds it alone, but has no clock: it is one frame whatever the rate
and the times of its clip.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place

ENDINGS = (".jpg", ".jpeg", ".png")

# Folders whose names are remembered, more than Aff-Wild2 has: about 20 bytes a picture.
_REMEMBERED = 1024

_WHAT = "a folder of numbered pictures (00001.jpg, 00002.jpg, …; .jpg, .jpeg or .png)"

Numbers = Union[Sequence[int], np.ndarray]

_ONE = np.ones(1, dtype=np.int64)
_ONE.flags.writeable = False
_ALONE = np.array([b""])


def is_picture_folder(path: PathLike) -> bool:
    """Whether a video is given as pictures: whether it is a folder or named as one picture, good or bad."""
    return is_picture(path) or os.path.isdir(path)


def is_picture(path: PathLike) -> bool:
    """Whether a video is given as one picture, by its ending: a corpus may have a million of them."""
    return os.fspath(path).lower().endswith(ENDINGS)


def picture_numbers(path: PathLike, where: Optional[str] = None) -> np.ndarray:
    """The numbers of the pictures that are there; none is opened.

    Args:
        path: the folder. Hidden files and files that are no pictures by their ending are passed over.
        where: row that names it, for messages.

    Returns:
        int64 [P], increasing, P ≥ 1; read-only. They count frames from 1.

    Raises:
        InputError: no folder or none that can be read; no pictures; a name that is no number of 1 or more; a number
            twice.
    """
    return picture_files(path, where)[0]


def pictures_seconds(path: PathLike, rate: float, where: Optional[str] = None) -> float:
    """Length of the video in seconds: its last number divided by the rate in Hz; no picture is opened.

    One picture lasts as long as one frame.

    Raises:
        InputError: as :func:`picture_numbers`, or the rate is not above 0.
    """
    if not rate > 0:
        raise _wrong(place(path, where), "pictures at a rate above 0 Hz", f"{rate:g}", "correct the rate")
    return float(picture_numbers(path, where)[-1]) / rate


def shown_numbers(
    seconds: float,
    *,
    begin: float = 0.0,
    stop: Optional[float] = None,
    rate: float,
    frame_rate: Optional[float] = None,
) -> np.ndarray:
    """Which frames a crop shows.

    Args:
        seconds: length of the video.
        begin: of the crop, in seconds.
        stop: end of the crop in seconds, itself outside (None: the end of the video).
        rate: of the video, in Hz.
        frame_rate: wanted pictures a second in Hz: the frame on the screen at begin + k / frame_rate. None: every
            frame that appears in the crop.

    Returns:
        int64 [T], numbers from 1, whether or not there is such a picture.
    """
    until = seconds if stop is None else min(stop, seconds)
    if frame_rate is None:
        return (
            np.arange(clock.picture_count(begin, rate), clock.picture_count(until, rate), dtype=np.int64) + 1
        )
    moments = begin + np.arange(clock.picture_count(until - begin, frame_rate)) / frame_rate
    return np.floor(moments * rate + 1e-6).astype(np.int64) + 1


def load_pictures(
    path: PathLike, numbers: Numbers, size: Optional[int] = None, where: Optional[str] = None
) -> Tensor:
    """Decode pictures by their numbers; each file once, however often its number is wanted.

    Args:
        path: the folder.
        numbers: T numbers, in any order. Where one is missing, the nearest earlier picture is taken; before the first
            one, the first.
        size: pixels, pictures are made square (bilinear); None: as the first of them is stored.
        where: row that names the folder, for messages.

    Returns:
        ByteTensor [T, 3, size, size] ([T, 3, height, width] where ``size`` is None), RGB, upright as EXIF says.

    Raises:
        InputError: as :func:`picture_numbers`; a picture is broken or no picture; ``size`` is not above 0.
    """
    if size is not None and not size > 0:
        raise _wrong(place(path, where), "a positive size", f"{size}", "give size a positive number")
    there, names = picture_files(path, where)
    wanted = np.asarray(numbers, dtype=np.int64)
    rows = np.maximum(np.searchsorted(there, wanted, side="right") - 1, 0)
    files, inverse = np.unique(rows, return_inverse=True)
    height_width = None if size is None else (size, size)
    buffer = np.empty((len(files), 3, *(height_width or (0, 0))), dtype=np.uint8)
    for k, row in enumerate(files):
        picture = _decode(path, names[row].decode("ascii"), height_width, where)
        if height_width is None:
            height_width = (picture.shape[0], picture.shape[1])
            buffer = np.empty((len(files), 3, *height_width), dtype=np.uint8)
        buffer[k] = picture.transpose(2, 0, 1)
    return torch.from_numpy(
        buffer if len(files) == len(rows) and _rising(rows) else buffer[inverse.reshape(-1)]
    )


def load_shown(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: float,
    frame_rate: Optional[float] = None,
    size: Optional[int] = None,
    max_frames: Optional[int] = None,
    hold_gaps: bool = True,
    where: Optional[str] = None,
) -> Tensor:
    """Decode a crop, as :func:`video.load_frames` does for a video file.

    Args:
        path: the folder.
        start: beginning of the crop in seconds (None: 0).
        end: end of the crop in seconds, itself outside (None: the last number).
        rate: frames the numbers count, per second in Hz.
        frame_rate: pictures wanted per second in Hz (None: every frame; missing ones as the one before).
        size: pixels, pictures are made square.
        max_frames: decoding ends after this many pictures.
        hold_gaps: as :func:`crop_numbers`.
        where: row that names the folder, for messages.

    Returns:
        ByteTensor [T, 3, size, size].

    Raises:
        InputError: as :func:`load_pictures`; a crop outside the video or without a frame.
    """
    numbers = crop_numbers(
        path, start=start, end=end, rate=rate, frame_rate=frame_rate, hold_gaps=hold_gaps, where=where
    )
    return load_pictures(path, numbers[:max_frames], size, where)


def crop_numbers(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: float,
    frame_rate: Optional[float] = None,
    hold_gaps: bool = True,
    where: Optional[str] = None,
) -> np.ndarray:
    """The frames of a crop, checked against the folder; arguments and errors are those of :func:`load_shown`.

    Args:
        hold_gaps: frames without a picture stay, so that each stands at its time, and show the one before. False: those
            that would show the picture of the frame before once more are left out, unless that leaves none.

    Returns:
        int64 [T], T ≥ 1, numbers from 1; 1 alone for one picture.
    """
    if is_picture(path):
        return _ONE
    at, seconds = place(path, where), pictures_seconds(path, rate, where)
    begin, stop = clock.span(start, end, seconds, at)
    numbers = shown_numbers(seconds, begin=begin, stop=stop, rate=rate, frame_rate=frame_rate)
    if not len(numbers):
        until = "the end" if stop is None else f"{stop:g} s"
        raise _wrong(
            at,
            f"at least one frame from {begin:g} s to {until}",
            f"none at {rate:g} Hz",
            "correct the times of the clip or leave this cell of the corpus empty",
        )
    if not hold_gaps:
        there = picture_numbers(path, where)
        rows = np.searchsorted(there, numbers, side="right")
        fresh = np.isin(numbers, there) | (np.diff(rows, prepend=rows[0]) > 0)
        return numbers[fresh] if fresh.any() else numbers
    return numbers


def check_pictures(path: PathLike, numbers: Numbers, where: Optional[str] = None) -> None:
    """Decode the pictures that these numbers show, and keep none.

    Raises:
        InputError: as :func:`load_pictures`.
    """
    there, names = picture_files(path, where)
    rows = np.maximum(np.searchsorted(there, np.asarray(numbers), side="right") - 1, 0)
    for row in np.unique(rows):
        _decode(path, names[row].decode("ascii"), None, where)


def picture_files(path: PathLike, where: Optional[str] = None) -> Tuple[np.ndarray, np.ndarray]:
    """Numbers of the pictures, and their file names in the same order (bytes; empty for one picture).

    Arguments and errors are those of :func:`picture_numbers`; one picture is not looked for.
    """
    if is_picture(path):
        return _ONE, _ALONE
    try:
        changed = os.stat(path).st_mtime_ns
        return _listed(os.fspath(path), changed)
    except OSError as error:
        found = {FileNotFoundError: "no such folder", NotADirectoryError: "a file"}.get(type(error))
        remedy = "correct the path or put the pictures there"
        raise _wrong(place(path, where), _WHAT, found or f"'{error.strerror}'", remedy) from error
    except _BadNameError as error:
        raise _wrong(place(path, where), *error.args) from None


class _BadNameError(Exception):
    """Expected, found and remedy: the row that names the folder is not known where it is listed."""


@lru_cache(maxsize=_REMEMBERED)
def _listed(path: str, changed: int) -> Tuple[np.ndarray, np.ndarray]:
    """``changed`` (time of the last change of the folder) is part of the key: new pictures are seen."""
    entries = [name for name in os.listdir(path) if not name.startswith(".")]
    found: dict[int, str] = {}
    for name in entries:
        stem, ending = os.path.splitext(name)
        if ending.lower() not in ENDINGS:
            continue
        if not (stem.isascii() and stem.isdigit()) or int(stem) < 1:
            raise _BadNameError(
                "pictures named by the number of their frame, 1 or more (00001.jpg)",
                f"'{name}'",
                "rename or remove it",
            )
        other = found.setdefault(int(stem), name)
        if other != name:
            raise _BadNameError(
                "one picture of each frame",
                f"'{min(other, name)}' and '{max(other, name)}'",
                "remove one of them",
            )
    if not found:
        what = f"{len(entries)} other entries ('{min(entries)}', …)" if entries else "an empty folder"
        raise _BadNameError(_WHAT, what, "name the folder that holds the pictures, or leave this cell empty")
    order = sorted(found)
    numbers = np.array(order, dtype=np.int64)
    numbers.flags.writeable = False
    return numbers, np.array([found[number].encode("ascii") for number in order])


def _rising(rows: np.ndarray) -> bool:
    return bool((np.diff(rows) > 0).all())


def _decode(path: PathLike, name: str, size: Optional[Tuple[int, int]], where: Optional[str]) -> np.ndarray:
    """One picture, uint8 [height, width, 3]; ``size`` is (height, width)."""
    from PIL import Image, ImageOps

    file = os.path.join(os.fspath(path), name) if name else os.fspath(path)
    try:
        with Image.open(file) as opened:
            picture: Any = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        # Pillow's own words name the file a second time, or a buffer in memory.
        empty = os.path.isfile(file) and not os.path.getsize(file)
        found = "an empty file (0 bytes)" if empty else _said(error)
        remedy = "copy or extract the picture again, or "
        remedy += "remove it: the one before takes its place" if name else "take its row out"
        raise _wrong(place(file, where), "a whole JPEG or PNG picture", found, remedy) from error
    if size is not None and picture.size != (size[1], size[0]):
        picture = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def _said(error: BaseException) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder"
    if isinstance(error, UnidentifiedImageError):
        return "bytes of another kind"
    if isinstance(error, OSError) and error.strerror:
        return f"'{error.strerror}'"
    return f"'{error}'"


def _wrong(at: str, expected: str, found: str, remedy: str) -> InputError:
    return InputError.of(where=at, expected=expected, found=found, remedy=remedy)
