"""One clip looked into: its files, their lengths, its traces."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Callable

from mmer_fairseq.corpus.clip import Clip
from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.corpus.streams import RawOptions, read_stream
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.clock import span
from mmer_fairseq.media.picture_folder import (
    check_pictures,
    crop_numbers,
    is_picture,
    is_picture_folder,
    pictures_seconds,
)
from mmer_fairseq.media.sound import sound_seconds
from mmer_fairseq.media.video import video_info

# Every picture is decoded whatever the options; few and small ones are kept.
OPTIONS = RawOptions(frame_rate=1.0, frame_size=16, max_frames=10**6, max_tokens=10**9)

# An annotation may begin late or end early; one this far off was read with a wrong rate or belongs to
# another clip.
TRACE_SLACK = 1.0
TRACE_SHARE = 0.2


@dataclass
class Finding:
    """What was found in one clip: its faults, and its length in seconds (0: unknown)."""

    id: str
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def inspect_clip(
    task: tuple[Clip, list[tuple[LabelSpace, Clip]]],
    *,
    decode: bool,
    text_form: str,
    allow_silent: bool = False,
    physio_rate: float = 0.0,
    physio_channels: tuple[str, ...] = (),
) -> Finding:
    """Look into one clip.

    Args:
        task: the clip, and the label spaces with traces together with the clip as each of them reads it.
        decode: read every medium to its end (default: headers).
        text_form: ``words`` or ``ids``.
        allow_silent: sound whose samples are all equal is no fault.
        physio_rate: of the biosignals in Hz; 0: not known, they have no length in seconds.
        physio_channels: of the biosignals; (): any.
    """
    clip, traces = task
    finding = Finding(clip.id)
    # Frames of a folder of pictures that names no rate are those of the trace.
    pictures = traces[0][0].rate if traces else OPTIONS.picture_rate
    options = replace(
        OPTIONS,
        allow_silent=allow_silent,
        picture_rate=pictures,
        physio_rate=physio_rate or None,
        physio_channels=physio_channels,
    )
    shown = 0.0
    for modality in clip.media:
        if clip.stores(modality):
            continue
        try:
            seconds = _check_medium(clip, modality, decode, text_form, options)
        except InputError as error:
            finding.faults.append(str(error))
        else:
            if modality == "video" and is_picture_folder(clip.media[modality]):
                shown = seconds  # a face may leave before the end
            else:
                finding.seconds = finding.seconds or seconds
    for space, labelled in traces:
        try:
            _check_trace(space, labelled, finding.seconds, shown)
        except InputError as error:
            finding.faults.append(str(error))
    finding.seconds = finding.seconds or shown
    return finding


def _check_medium(clip: Clip, modality: str, decode: bool, text_form: str, options: RawOptions) -> float:
    """Seconds of the clip in one of its media (0: it has no clock)."""
    if modality == "text":
        _check_text(clip, text_form)
        return 0.0
    if modality == "physio":
        if not options.physio_rate:  # uncropped: only the training may know its rate
            clip = replace(clip, start=None, end=None)
        steps = len(read_stream(clip, modality, options))
        return steps / options.physio_rate if options.physio_rate else 0.0
    path = clip.media[modality]
    if modality == "video" and is_picture_folder(path):
        return _check_folder(clip, path, decode, clip.rate or options.picture_rate)
    read = sound_seconds if modality == "audio" else _video_seconds
    seconds = _header(read, path, _stamp(path))
    if seconds is None:
        seconds = read(path, where=clip.where)  # once more, for a message that names the row
    start, end = span(clip.start, clip.end, seconds, f"{clip.where}: {path}")
    if decode:
        read_stream(clip, modality, options)
    return min(seconds, end if end is not None else seconds) - start


def _check_folder(clip: Clip, path: str, decode: bool, rate: float) -> float:
    """Seconds of the clip in a folder of pictures; of these, the first is always decoded."""
    seconds = pictures_seconds(path, rate, clip.where)
    start, end = (None, None) if is_picture(path) else clip.picture_span
    numbers = crop_numbers(path, start=start, end=end, rate=rate, where=clip.where)
    check_pictures(path, numbers if decode else numbers[:1], clip.where)
    return min(seconds, seconds if end is None else end) - (start or 0.0)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        file = os.stat(path)
    except OSError:
        return None
    return file.st_ino, file.st_mtime_ns, file.st_size


@lru_cache(maxsize=4096)
def _header(read: Callable[..., float], path: str, stamp: tuple[int, int, int] | None) -> float | None:
    """Seconds of a medium, read once however many clips are cut from it; None where it has a fault.

    ``stamp`` is part of the key: a file that has been mended since is read anew.
    """
    try:
        return read(path)
    except InputError:
        return None


def _video_seconds(path: str, *, where: str | None = None) -> float:
    return video_info(path, where=where).seconds


def _check_text(clip: Clip, text_form: str) -> None:
    if text_form == "ids":  # no tokenizer: read as ids
        read_stream(clip, "text", OPTIONS)
    elif clip.text_is_path:
        read_utf8(clip.media["text"], "a transcript", stop, clip.where)


def _check_trace(space: LabelSpace, clip: Clip, seconds: float, shown: float) -> None:
    """Compare a trace with the clip's media (0 s: without a clock), or at least with the last of its pictures."""
    steps = len(space.target(clip))
    rate = space.rate_of(clip)
    lasts = steps / rate
    short = not seconds and lasts < shown
    seconds = seconds or (shown if short else 0.0)
    if seconds and abs(lasts - seconds) > max(TRACE_SLACK, TRACE_SHARE * seconds):
        raise InputError.of(
            where=clip.where,
            expected=f"a trace about as long as the clip ({seconds:.1f} s)",
            found=f"{steps} steps, {lasts:.1f} s at {rate:g} Hz, in {clip.label}",
            remedy="correct the rate of the "
            + ("label space" if clip.rate is None else "clip")
            + ", or name the trace of this clip",
        )
