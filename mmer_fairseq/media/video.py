"""Video file → pictures and their times, one picture in memory beside the result."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Optional, Tuple, Union

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place
from mmer_fairseq.media.medium import Medium, open_medium
from mmer_fairseq.media.pictures import Pictures
from mmer_fairseq.media.stopping import check
from mmer_fairseq.media.wholeness import examine

# Pictures a buffer starts with at most: headers may announce an absurd rate.
_FIRST_BUFFER = 2048

Size = Union[int, Tuple[int, int]]


@dataclass(frozen=True)
class VideoInfo:
    """What the headers of a video say.

    Attributes:
        seconds: end of the picture track on the medium's clock.
        frames: pictures (seconds × rate where the headers do not count them).
        rate: mean pictures per second, in Hz.
        width: pixels as stored, before a rotation that the file may ask for.
        height: pixels as stored.
        has_sound: whether there is a sound track.
    """

    seconds: float
    frames: int
    rate: float
    width: int
    height: int
    has_sound: bool


def video_info(path: PathLike, *, where: Optional[str] = None) -> VideoInfo:
    """Read the headers of a video; nothing is decoded.

    Args:
        path: the video.
        where: row that names it, for messages.

    Raises:
        InputError: missing, foreign or truncated file, or no picture track.
    """
    examine(path, where, wanted="a video file")
    with open_medium(path, where) as medium:
        track = medium.track("video")
        seconds = medium.announced_end(track)
        rate = float(track.average_rate or track.guessed_rate or 0)
        return VideoInfo(
            seconds=seconds,
            frames=track.frames or clock.picture_count(seconds, rate),
            rate=rate,
            width=track.codec_context.width,
            height=track.codec_context.height,
            has_sound=medium.find("audio") is not None,
        )


def load_frames(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: Optional[float] = None,
    size: Optional[Size] = None,
    max_frames: Optional[int] = None,
    threads: int = 1,
    where: Optional[str] = None,
) -> Tuple[Tensor, Tensor]:
    """Decode the pictures of a video, upright as the file asks for.

    Args:
        path: the video.
        start: beginning of the crop in seconds (None: 0). Decoding starts at the key frame before it.
        end: end of the crop in seconds, itself outside (None: the end of the picture track).
        rate: pictures per second in Hz: the picture on the screen at start + k / rate, whatever the video's
            own rate, constant or not; before the first picture: the first. None: every picture that appears
            in the crop.
        size: pixels, one number (square) or (height, width); None: as stored.
        max_frames: decoding ends after this many pictures.
        threads: decoder threads (1 inside data-loader workers).
        where: row that names the file, for messages.

    Returns:
        ByteTensor [T, 3, height, width] (RGB) and FloatTensor [T], seconds from ``start``.

    Raises:
        InputError: missing, foreign, truncated or damaged file; no picture track; crop outside the medium or
            without a picture; an option that is not positive.
    """
    with closing(_parts(path, start, end, rate, size, max_frames, None, threads, where)) as parts:
        return next(parts)


def frames_in_parts(
    path: PathLike,
    part: int,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: Optional[float] = None,
    where: Optional[str] = None,
) -> Iterator[Tuple[Tensor, Tensor]]:
    """As :func:`load_frames`, but no more than some pictures are in memory; each is decoded once all the same.

    Args:
        path: the video.
        part: pictures of a part, 1 or more; the last may have fewer.
        start: as there, like all others.
        end: as there.
        rate: as there.
        where: as there.

    Yields:
        ByteTensor [P, 3, height, width] and FloatTensor [P], seconds from ``start``; P ≤ ``part``.

    Raises:
        InputError: as there; damage is met when its part is asked for.
    """
    return _parts(path, start, end, rate, None, None, part, 1, where)


def _parts(
    path: PathLike,
    start: Optional[float],
    end: Optional[float],
    rate: Optional[float],
    size: Optional[Size],
    max_frames: Optional[int],
    part: Optional[int],
    threads: int,
    where: Optional[str],
) -> Generator[Tuple[Tensor, Tensor], None, None]:
    """Pictures and times of a crop, ``part`` at a time (None: all at once)."""
    examine(path, where, wanted="a video file")
    height_width = _checked_options(place(path, where), rate, size, max_frames)
    with open_medium(path, where) as medium:
        medium.track("video")
        begin, stop = medium.span(start, end)
        track = medium.track("video")
        rounding = clock.time_rounding(float(track.time_base))
        timed = _timed(medium, begin, stop, threads)
        if rate is None:
            shown = _appearing(timed, begin, stop, rounding)
        else:
            shown = _on_screen(timed, begin, stop, rate, rounding)
        # A guess at the number of pictures, from headers: only the first size of the buffer hangs on it.
        length = (medium.announced_end(track) if stop is None else stop) - begin
        likely = clock.picture_count(length, rate or float(track.average_rate or 25)) + 1
        likely = min(likely, max_frames or likely, part or likely, _FIRST_BUFFER)
        wanted = islice(shown, max_frames)
        any_yet = False
        while True:
            pictures, times = Pictures(height_width, likely), []
            for time, frame in islice(wanted, part):
                check()
                pictures.add(frame)
                times.append(time)
            if times:
                any_yet = True
                yield torch.from_numpy(pictures.all()), torch.tensor(times)
            if part is None or len(times) < part:
                break
        if not any_yet:
            until = "the end" if stop is None else f"{stop:g} s"
            raise InputError.of(
                where=medium.at,
                expected=f"at least one picture from {begin:g} s to {until}",
                found="none",
                remedy="correct the times of the clip or leave this cell of the corpus empty",
            )


def _checked_options(
    at: str, rate: Optional[float], size: Optional[Size], max_frames: Optional[int]
) -> Optional[Tuple[int, int]]:
    height_width = (size, size) if isinstance(size, int) else size
    for name, value in (
        ("rate", rate),
        ("size", size and min(height_width or ())),
        ("max_frames", max_frames),
    ):
        if value is not None and not value > 0:
            raise InputError.of(
                where=at, expected=f"a positive {name}", found=value, remedy=f"give {name} a positive number"
            )
    return height_width


def _timed(
    medium: Medium, begin: float, stop: Optional[float], threads: int
) -> Iterator[Tuple[float, float, Any]]:
    """(moment a picture appears, moment it would leave, picture); notices a track that ends too early."""
    ends = 0.0
    track_end = medium.own_end(medium.track("video"))
    for time, ends, frame in medium.decode("video", begin, threads=threads):
        # The last picture may be stored with a longer life than the track has.
        yield time, min(ends, track_end) if track_end and track_end > time else ends, frame
    medium.check_reached("video", ends, stop)


def _appearing(
    timed: Iterator[Tuple[float, float, Any]], begin: float, stop: Optional[float], rounding: float
) -> Iterator[Tuple[float, Any]]:
    """Every picture that appears in [begin, stop): neighbouring crops share no picture and lose none."""
    for time, _, frame in timed:
        if stop is not None and time >= stop - rounding:
            return
        if time >= begin - rounding:
            yield max(0.0, time - begin), frame


def _on_screen(
    timed: Iterator[Tuple[float, float, Any]],
    begin: float,
    stop: Optional[float],
    rate: float,
    rounding: float,
) -> Iterator[Tuple[float, Any]]:
    """The picture on the screen at each begin + k / rate, before ``stop`` and while there is one."""
    count = None if stop is None else clock.picture_count(stop - begin, rate)
    shown: Any = None
    leaves, k = 0.0, 0
    for time, end, frame in timed:
        while shown is not None and begin + k / rate + rounding < time:
            if k == count:
                return
            yield k / rate, shown
            k += 1
        shown, leaves = frame, end
    if shown is not None:
        leaves = leaves if stop is None else min(leaves, stop)
        for last in range(k, clock.picture_count(leaves - begin, rate)):
            yield last / rate, shown
