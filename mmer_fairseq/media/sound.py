"""Sound file, or the sound track of a video → mono samples at one rate, block by block."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place
from mmer_fairseq.media.medium import open_medium
from mmer_fairseq.media.sound_sources import (
    TENSOR_RATE,
    Block,
    file_blocks,
    open_sound,
    read_tensor,
    tensor_blocks,
    track_blocks,
)
from mmer_fairseq.media.wholeness import examine

# Samples as floats lie in [-1, 1]; a mix may exceed that a little, integers stored as floats do by far.
_MAX_PEAK = 16.0


def load_sound(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: int = 16000,
    allow_silent: bool = False,
    where: Optional[str] = None,
) -> Tensor:
    """Read sound as one channel (the mean of all) at one rate.

    Args:
        path: a sound file; a ``.pt`` tensor of 16 kHz samples; or a video file, whose sound track is read on
            the medium's clock: where the track starts later than the picture, silence stands before it, so
            that sample k lies at start + k / rate for both (in Matroska to a millisecond, its own precision).
        start: beginning of the crop in seconds (None: 0). What lies before is not decoded.
        end: end of the crop in seconds, itself outside (None: the end of the sound).
        rate: of the result, in Hz; resampled by soxr where the file has another.
        allow_silent: return sound whose samples are all equal instead of raising.
        where: row that names the file, for messages.

    Returns:
        FloatTensor [samples] in [-1, 1].

    Raises:
        InputError: missing, foreign, truncated or damaged file; no sound track; crop outside the medium; no
            samples, NaN or infinite ones, or samples far outside [-1, 1]; silence.
    """
    at = place(path, where)
    if rate <= 0:
        raise InputError.of(
            where=at, expected="a rate above 0 Hz", found=rate, remedy="give rate a positive number"
        )
    if _is_tensor(path):
        sound, silent = _collect(tensor_blocks(path, start, end, where), rate, at)
    elif examine(path, where).medium == "sound":
        sound, silent = _collect(file_blocks(path, at, start, end), rate, at)
    else:
        with open_medium(path, where) as medium:
            sound, silent = _collect(track_blocks(medium, start, end), rate, at)
    if sound.size == 0:
        raise InputError.of(
            where=at,
            expected="at least one sample",
            found="none",
            remedy="correct the times of the clip, or leave this cell of the corpus empty",
        )
    if silent and not allow_silent:
        raise InputError.of(
            where=at,
            expected="sound",
            found=f"silence: all samples of {len(sound) / rate:.2f} s are equal",
            remedy="name the right file, leave this cell of the corpus empty, or add --allow-silent",
        )
    return torch.from_numpy(sound)


def change_speed(sound: Tensor, speed: float) -> Tensor:
    """Play a sound faster or slower: pitch and tempo change alike.

    Args:
        sound: FloatTensor [samples].
        speed: above 0; 2 halves the length and raises the pitch by an octave.

    Returns:
        FloatTensor [samples / speed, rounded], at least one sample.

    Source: Ko et al., "Audio Augmentation for Speech Recognition", 2015 (speed perturbation).
    """
    import soxr  # type: ignore[import-untyped]

    length = max(1, round(len(sound) / speed))
    changed = soxr.resample(sound.numpy(), speed, 1.0)[:length]
    return torch.from_numpy(np.pad(changed, (0, length - len(changed))))


def sound_seconds(path: PathLike, *, where: Optional[str] = None) -> float:
    """Length of a sound file, or end of a video's sound track, from headers.

    Args:
        path: a sound or video file.
        where: row that names it, for messages.

    Raises:
        InputError: missing, foreign or truncated file, or no sound track.
    """
    if _is_tensor(path):
        return len(read_tensor(path, where)) / TENSOR_RATE
    if examine(path, where).medium == "sound":
        with open_sound(path, place(path, where)) as file:
            return float(file.frames / file.samplerate)
    with open_medium(path, where) as medium:
        return medium.announced_end(medium.track("audio"))


def _is_tensor(path: PathLike) -> bool:
    return os.fspath(path).lower().endswith(".pt")


def _collect(blocks: Iterator[Block], rate: int, at: str) -> Tuple[np.ndarray, bool]:
    """Blocks of any rate → the sound at ``rate``, as long as the clock says; whether all are equal."""
    import soxr  # type: ignore[import-untyped]

    stream: Any = None
    parts, samples, source = [np.empty(0, dtype=np.float32)], 0, rate
    low, high = math.inf, -math.inf
    for source, block in blocks:
        if not len(block):
            continue
        # Before resampling, which would spread NaN and ripple a constant. NaN makes both extremes NaN.
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        if not (block.min() >= -_MAX_PEAK and block.max() <= _MAX_PEAK):
            raise _bad_sample(block, samples, source, at)
        samples += len(block)
        if source != rate and stream is None:
            stream = soxr.ResampleStream(source, rate, 1, dtype="float32")
        parts.append(stream.resample_chunk(block) if stream else block)
    if stream:
        parts.append(stream.resample_chunk(parts[0], last=True))
    sound = parts[1] if len(parts) == 2 else np.concatenate(parts)
    length = clock.resampled_length(samples, source, rate)
    if len(sound) != length:
        sound = np.pad(sound[:length], (0, max(0, length - len(sound))))
    return np.clip(sound, -1.0, 1.0, out=sound), low == high


def _bad_sample(block: np.ndarray, before: int, rate: int, at: str) -> InputError:
    first = int(np.flatnonzero(~(np.abs(block) <= _MAX_PEAK))[0])
    integers = math.isfinite(block[first])
    return InputError.of(
        where=at,
        expected="finite samples in [-1, 1]",
        found=f"{block[first]:g} at {(before + first) / rate:.3f} s of the sound",
        remedy="divide the samples by their largest possible value" if integers else "convert the file again",
    )
