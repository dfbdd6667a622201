"""Where somebody speaks: the level of sound against the noise around it, as the sound streams by.

A plain detector that needs nothing installed. It takes every sound well above the noise for speech, music and slamming
doors too; ``webrtc`` (``pip install 'mmer_fairseq[vad]'``) knows speech better.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mmer_fairseq.errors import InputError, optional
from mmer_fairseq.media.sound_sources import Block

#: Seconds of a frame.
FRAME = 0.03
#: Pauses up to this many seconds do not end a segment, shorter sounds are none, and so much is kept around one.
PAUSE, SHORTEST, AROUND = 0.5, 0.25, 0.15
#: The noise is what the quietest tenth of so many seconds reaches.
_MEMORY = 20.0
_QUIET, _LOUD = 10, 95
#: Decibels above the noise; never below this level of full scale.
_ABOVE, _LOWEST = 6.0, -70.0
#: Decibels: below it nothing was recorded, which says nothing of the noise.
_NOTHING = -100.0
#: Share of the range between noise and loud speech.
_SHARE = 0.35
_RATE = 16000
_AGGRESSIVENESS = 2

DETECTORS = ("auto", "energy", "webrtc")


def choose(name: str) -> str:
    """``energy`` or ``webrtc``; ``auto``: the second, if it is installed.

    Raises:
        InputError: no such detector, or it is not installed.
    """
    if name not in DETECTORS:
        raise InputError.of(
            where="--speech",
            expected=f"one of {', '.join(DETECTORS)}",
            found=repr(name),
            remedy="write one of them",
        )
    if name == "energy":
        return name
    try:
        optional(
            "webrtcvad",
            where="--speech webrtc",
            expected="the package webrtcvad-wheels",
            remedy="install it: pip install 'mmer_fairseq[vad]', or leave the flag out",
        )
    except InputError:
        if name == "auto":
            return "energy"
        raise
    return "webrtc"


def speech(
    blocks: Iterable[Block], longest: float, detector: str = "energy"
) -> Iterator[tuple[float, float]]:
    """Find where somebody speaks.

    Args:
        blocks: (rate in Hz, mono float32 samples), one after the other without a hole.
        longest: seconds; longer speech is cut at its quietest moment.
        detector: ``energy`` or ``webrtc``.

    Yields:
        (start, end) in seconds, rising and apart, each as soon as it is known.
    """
    frames = _levels(blocks)
    active = _by_energy(frames) if detector == "energy" else _by_webrtc(frames)
    return _joined(active, longest)


def _levels(blocks: Iterable[Block]) -> Iterator[tuple[float, np.ndarray, int]]:
    """(level in dB of full scale, samples, rate) of each frame."""
    rest, rate = np.zeros(0, dtype=np.float32), 0
    for rate, block in blocks:
        samples = np.concatenate([rest, block])
        size = max(2, round(FRAME * rate))
        count = len(samples) // size
        rows, rest = samples[: count * size].reshape(count, size), samples[count * size :]
        for level, row in zip(_level(rows, rate).tolist(), rows):
            yield level, row, rate
    if len(rest) > FRAME / 3 * rate:
        yield float(_level(rest[None], rate)[0]), rest, rate


def _level(rows: np.ndarray, rate: int) -> np.ndarray:
    """dB of full scale, of frames [N, samples], between hum and hiss: [N]."""
    fewer = max(1, round(rate / _RATE))
    if fewer > 1:
        rows = rows[:, : rows.shape[1] // fewer * fewer].reshape(len(rows), -1, fewer).mean(axis=2)
    power = np.square(np.diff(rows, axis=1)).mean(axis=1)
    return np.asarray(10 * np.log10(power + 1e-12))


def _by_energy(frames: Iterable[tuple[float, np.ndarray, int]]) -> Iterator[tuple[bool, float]]:
    """(somebody speaks, level) of each frame; the noise is known from what lies around, some seconds ahead too."""
    memory: deque[float] = deque(maxlen=round(_MEMORY / FRAME))
    waiting: list[float] = []
    ahead = memory.maxlen // 4 if memory.maxlen else 1

    def decided() -> Iterator[tuple[bool, float]]:
        noise, loud = np.percentile(memory, (_QUIET, _LOUD)) if memory else (_NOTHING, _NOTHING)
        # where all is equally loud there is no noise to compare with
        above = max(_ABOVE, _SHARE * (loud - noise)) if loud - noise > _ABOVE else -_ABOVE
        threshold = max(noise + above, _LOWEST)
        yield from ((level > threshold, level) for level in waiting)

    for level, _, _ in frames:
        if level > _NOTHING:
            memory.append(level)
        waiting.append(level)
        if len(waiting) >= ahead:
            yield from decided()
            waiting.clear()
    if waiting:
        yield from decided()


def _by_webrtc(frames: Iterable[tuple[float, np.ndarray, int]]) -> Iterator[tuple[bool, float]]:
    import soxr  # type: ignore[import-untyped]

    detector: Any = importlib.import_module("webrtcvad").Vad(_AGGRESSIVENESS)
    size = round(FRAME * _RATE)
    for level, samples, rate in frames:
        heard = samples if rate == _RATE else soxr.resample(samples, rate, _RATE, quality="LQ")
        heard = np.pad(heard[:size], (0, max(0, size - len(heard))))
        sound = (np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes()
        yield bool(detector.is_speech(sound, _RATE)), level


def _joined(active: Iterable[tuple[bool, float]], longest: float) -> Iterator[tuple[float, float]]:
    pause, shortest, most = (max(1, round(x / FRAME)) for x in (PAUSE, SHORTEST, longest - 2 * AROUND))
    start, last, number, heard = -1, -1, -1, 0
    levels: list[float] = []
    done = 0.0

    def found(stop: int, more: bool) -> tuple[float, float]:
        nonlocal done
        begin = max(done, start * FRAME - AROUND)
        done = stop * FRAME + (0.0 if more else AROUND)
        return begin, done

    for number, (speaks, level) in enumerate(active):
        if speaks:
            if start < 0:
                start, levels, heard = number, [], 0
            last = number
            heard += 1
        if start < 0:
            continue
        levels.append(level)
        if number - last >= pause:
            if heard >= shortest:
                yield found(last + 1, False)
            start = -1
        elif len(levels) >= most:
            cut = len(levels) // 2 + int(np.argmin(levels[len(levels) // 2 :]))
            yield found(start + cut, True)
            start, levels = start + cut, levels[cut:]
            heard = shortest  # goes on
    if start >= 0 and heard >= shortest:
        done_at = (number + 1) * FRAME
        begin, end = found(last + 1, False)
        yield begin, min(end, done_at)
