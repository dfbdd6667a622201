"""Where sound comes from: a sound file, the track of a container, or a stored tensor, each as mono blocks."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, Optional, Tuple

import numpy as np
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place, read_head
from mmer_fairseq.media.medium import Medium
from mmer_fairseq.media.stopping import check

# (rate in Hz, float32 [samples])
Block = Tuple[int, np.ndarray]

# Samples per channel read at a time: bounds memory for long files; short clips are one block.
_BLOCK = 1 << 18

# Decoding starts this much before a crop: a lossy frame needs the ones before it (overlapping transforms, bit
# reservoir).
_RUN_IN = 0.3

# Jumps between the times of successive frames up to this are rounding or jitter, and closing each would
# click; longer ones are gaps in the recording. In seconds.
_JITTER = 0.01
#: Samples of silence that are handed on at once.
_SILENCE = 1 << 20

# Stored tensors carry no rate; those of the SSE-FT layout are 16 kHz.
TENSOR_RATE = 16000


def open_sound(path: PathLike, at: str) -> Any:
    import soundfile  # type: ignore[import-untyped]

    try:
        return soundfile.SoundFile(os.fspath(path))
    except soundfile.LibsndfileError as error:
        raise InputError.of(
            where=at,
            expected="a sound file that libsndfile can read",
            found=f"bytes it cannot: '{error.error_string}'",
            remedy="the file is damaged, truncated or wrongly named: copy, download or write it again",
        ) from error


def file_blocks(path: PathLike, at: str, start: Optional[float], end: Optional[float]) -> Iterator[Block]:
    """(rate, mono block) of a sound file, read by libsndfile."""
    import soundfile

    with open_sound(path, at) as file:
        total, rate = file.frames, file.samplerate
        begin, stop = clock.span(start, end, total / rate if total else None, at)
        position = first = clock.sample_at(begin, rate)
        last = total if stop is None else min(total, clock.sample_at(stop, rate))
        try:
            if first:
                file.seek(first)
            while position < last:
                check()
                block = file.read(min(_BLOCK, last - position), dtype="float32", always_2d=True)
                if not len(block):
                    break
                position += len(block)
                yield rate, block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
            found = f"data for {position / rate:.2f} s (truncated)"
        except soundfile.LibsndfileError as error:
            position = -1
            found = f"data that cannot be decoded (truncated or damaged): '{error.error_string}'"
    if position < last:
        raise InputError.of(
            where=at,
            expected=f"{total / rate:.2f} s, as its header announces",
            found=found,
            remedy="copy, download or record the file again",
        )


def track_blocks(medium: Medium, start: Optional[float], end: Optional[float]) -> Iterator[Block]:
    """(rate, mono block) of a container's sound track, decoded by libav, silence where it has gaps."""
    medium.track("audio")
    begin, stop = medium.span(start, end)
    # Lossy coders fill up their last frame; the headers say where the sound really ends.
    announced = medium.own_end(medium.track("audio"))
    last_second = min(math.inf if stop is None else stop, math.inf if announced is None else announced)
    rate, cursor, follows, last, ends = 0, 0, 0, math.inf, begin
    for begins, frame_ends, frame in medium.decode("audio", max(0.0, begin - _RUN_IN)):
        ends, block = frame_ends, _mono(frame)
        position = clock.sample_at(begins, frame.sample_rate)
        if rate == 0:
            # HE-AAC: the decoder's rate counts, not the header's.
            rate = frame.sample_rate
            cursor = clock.sample_at(begin, rate)
            last = math.inf if math.isinf(last_second) else clock.sample_at(last_second, rate)
            if cursor >= last:
                return
        elif frame.sample_rate != rate:
            raise medium.damaged(f"a change of the sampling rate from {rate} to {frame.sample_rate} Hz")
        elif abs(position - follows) <= _JITTER * rate:
            position = follows
        follows = position + len(block)
        while position > cursor and cursor < last:  # in pieces: a gap may be hours long
            silence = np.zeros(min(int(min(position, last)) - cursor, _SILENCE), dtype=np.float32)
            yield rate, silence
            cursor += len(silence)
        block = block[max(0, cursor - position) : int(min(len(block), max(0, last - position)))]
        if len(block):
            yield rate, block
            cursor += len(block)
        if cursor >= last:
            return
    medium.check_reached("audio", ends, stop)


def _mono(frame: Any) -> np.ndarray:
    """Mean of the channels as float32 in [-1, 1], of any of libav's sample formats."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    mono = samples[0] if len(samples) == 1 else samples.mean(axis=0, dtype=np.float64)
    mono = mono.astype(np.float32)
    if samples.dtype.kind == "f":
        return np.asarray(mono)
    middle = 128 if samples.dtype.kind == "u" else 0
    return np.asarray((mono - middle) / (1 << 8 * samples.dtype.itemsize - 1), dtype=np.float32)


def read_tensor(path: PathLike, where: Optional[str] = None) -> np.ndarray:
    """Sound saved by ``torch.save``, as the SSE-FT layout has it: float32 [samples] at ``TENSOR_RATE``.

    Raises:
        InputError: missing, empty or foreign file, or a tensor that is no single channel.
    """
    at = place(path, where)
    read_head(path, where, "a tensor of sound samples")
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # On foreign bytes the unpickler may stumble in any way: IndexError, UnicodeDecodeError, …
        raise _no_tensor(at, f"bytes of another kind ({type(error).__name__})") from error
    if not isinstance(value, torch.Tensor) or value.numel() != max(value.shape, default=0):
        shape = f" of shape {list(value.shape)}" if isinstance(value, torch.Tensor) else ""
        raise _no_tensor(at, f"a {type(value).__name__}{shape}")
    sound = value.detach().reshape(-1)
    return (sound.float() if sound.is_floating_point() else sound.float() / 32768).numpy()


def _no_tensor(at: str, found: str) -> InputError:
    return InputError.of(
        where=at,
        expected=f"a tensor [samples] at {TENSOR_RATE} Hz, written by torch.save",
        found=found,
        remedy="write the tensor again or name the sound file",
    )


def tensor_blocks(
    path: PathLike, start: Optional[float], end: Optional[float], where: Optional[str]
) -> Iterator[Block]:
    """(rate, the crop) of a stored tensor."""
    sound = read_tensor(path, where)
    begin, stop = clock.span(start, end, len(sound) / TENSOR_RATE, place(path, where))
    last = len(sound) if stop is None else clock.sample_at(stop, TENSOR_RATE)
    yield TENSOR_RATE, sound[clock.sample_at(begin, TENSOR_RATE) : last]
