"""Signals other than sound and picture (pulse, skin conductance, …): NumPy or CSV → steps × channels."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock, resampling
from mmer_fairseq.media.files import PathLike, place, read_head

_WHAT = "a signal: an .npy array [steps, channels], or a .csv file whose header names the channels"

# A CSV column of this name holds the moment of each row in seconds; it is a clock, no channel.
TIME_COLUMN = "time"


@dataclass(frozen=True)
class _Signal:
    """``values`` [steps, channels]; ``times`` [steps] in seconds and ``names`` of the channels if it is a table."""

    values: np.ndarray
    times: Optional[np.ndarray] = None
    names: Tuple[str, ...] = ()


def load_series(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: Optional[float] = None,
    to_rate: Optional[float] = None,
    channels: Sequence[str] = (),
    where: Optional[str] = None,
) -> Tensor:
    """Read a signal.

    Args:
        path: ``.npy`` [steps] or [steps, channels], or ``.csv`` with a header.
        start: beginning of the crop in seconds (None: 0).
        end: end of the crop in seconds, itself outside (None: the end).
        rate: steps per second of the file in Hz; needed for a crop or for ``to_rate`` unless the CSV has a column
            ``time`` in seconds, which comes first.
        to_rate: steps per second wanted, in Hz: the crop is resampled by soxr, its ends mirrored so
            that they do not ring (None: as recorded). Steps whose times are irregular by more than 1 % of their
            median period are first interpolated linearly to that period.
        channels: what the channels are (empty: any). An array must have as many; of a table the columns of these
            names are taken, in this order.
        where: row that names the file, for messages.

    Returns:
        FloatTensor [steps, channels]; resampled: [round(steps · to_rate / rate), channels].

    Raises:
        InputError: missing, empty or foreign file; no steps; values that are no finite numbers; a crop
            outside the signal or of a signal without a clock; other channels; a rate not above 0.
    """
    at = place(path, where)
    for name, hertz in (("rate", rate), ("to_rate", to_rate)):
        if hertz is not None and not hertz > 0:
            raise _wrong(at, f"a {name} above 0 Hz", f"{hertz:g}", f"give {name} a positive number")
    signal = _only(_read(path, at, where), channels, at)
    values, times = signal.values, signal.times
    if start is not None or end is not None:
        crop = _crop(start, end, len(values), times, rate, at)
        values, times = values[crop], None if times is None else times[crop]
    if 0 in values.shape:
        raise _wrong(
            at,
            "at least one step and one channel",
            f"shape {list(values.shape)}",
            "correct the file or the times",
        )
    result = np.array(values, dtype=np.float64 if to_rate else np.float32)
    if not np.isfinite(result).all():
        step, channel = np.argwhere(~np.isfinite(result))[0]
        found = f"{result[step, channel]} in step {step + 1} of channel {channel + 1}"
        raise _wrong(
            at, "finite numbers", found, "interpolate the gap or leave this cell of the corpus empty"
        )
    if to_rate is not None:
        recorded = rate
        if times is not None and len(times) > 1:
            result, recorded = resampling.regular(result, times)
        if recorded is None:
            raise _no_clock(at, "resample", f"{to_rate:g} Hz wanted and no clock")
        result = resampling.resampled(result, recorded, to_rate)
    return torch.from_numpy(np.asarray(result, dtype=np.float32))


def series_shape(
    path: PathLike,
    rate: Optional[float] = None,
    where: Optional[str] = None,
    channels: Sequence[str] = (),
) -> Tuple[int, int, float]:
    """Steps, channels and recorded rate of a signal. Of an array only the header is read, a table whole.

    Args:
        path: as in :func:`load_series`.
        rate: steps per second of the file in Hz, where it is known; a CSV column ``time`` comes first.
        where: row that names the file, for messages.
        channels: those wanted, as for :func:`load_series` (empty: all).

    Returns:
        (steps, channels, Hz); 0.0 Hz where nothing tells the rate.

    Raises:
        InputError: as :func:`load_series`, besides values that are not finite.
    """
    at = place(path, where)
    signal = _only(_read(path, at, where), channels, at)
    steps, width = signal.values.shape
    if signal.times is not None and steps > 1:
        return steps, width, resampling.rate_of(signal.times)
    return steps, width, float(rate or 0.0)


def _read(path: PathLike, at: str, where: Optional[str]) -> _Signal:
    read_head(path, where, _WHAT)
    if os.fspath(path).lower().endswith(".npy"):
        return _Signal(_read_npy(path, at))
    if not os.fspath(path).lower().endswith(".csv"):
        raise _wrong(at, _WHAT, f"the name '{os.path.basename(path)}'", "convert it to .npy or .csv")
    header, values = _read_csv(path, at)
    names = [name.strip() for name in header]
    lower = [name.lower() for name in names]
    if TIME_COLUMN not in lower:
        return _Signal(values, None, tuple(names))
    column = lower.index(TIME_COLUMN)
    times = values[:, column]
    back = np.flatnonzero(~(np.diff(times) > 0))
    if len(back):
        raise _wrong(
            f"{at}:{back[0] + 3}",
            f"a '{names[column]}' after that of the row before ({times[back[0]]:g} s)",
            f"{times[back[0] + 1]:g}",
            "sort the rows by time and remove repeated ones",
        )
    names.pop(column)
    return _Signal(np.delete(values, column, axis=1), times, tuple(names))


def _only(signal: _Signal, channels: Sequence[str], at: str) -> _Signal:
    """The wanted channels of a signal, in their order."""
    if not channels:
        return signal
    expected = f"{len(channels)} channel{'s' * (len(channels) != 1)} ({', '.join(channels)})"
    if not signal.names:
        if signal.values.shape[1] != len(channels):
            remedy = "write these channels side by side, or correct the channels of the corpus"
            raise _wrong(at, expected, f"{signal.values.shape[1]}", remedy)
        return signal
    places = {name.lower(): k for k, name in enumerate(signal.names)}
    missing = [name for name in channels if name.lower() not in places]
    if missing:
        found = f"{', '.join(signal.names)} (no {', '.join(missing)})"
        raise _wrong(at, expected, found, "name the columns so, or correct the channels of the corpus")
    picked = [places[name.lower()] for name in channels]
    return _Signal(signal.values[:, picked], signal.times, tuple(channels))


def _crop(
    start: Optional[float],
    end: Optional[float],
    steps: int,
    times: Optional[np.ndarray],
    rate: Optional[float],
    at: str,
) -> slice:
    if times is not None and steps:
        period = float(np.median(np.diff(times))) if steps > 1 else 0.0
        begin, stop = clock.span(start, end, float(times[-1]) + period, at)
        last = steps if stop is None else int(np.searchsorted(times, stop))
        return slice(int(np.searchsorted(times, begin)), last)
    if rate is None:
        raise _no_clock(at, "crop", f"start {start}, end {end} and no clock")
    begin, stop = clock.span(start, end, steps / rate, at)
    return slice(clock.picture_count(begin, rate), steps if stop is None else clock.picture_count(stop, rate))


def _no_clock(at: str, what: str, found: str) -> InputError:
    remedy = "give the rate of the signal, or leave start and end empty"
    if what != "crop":
        remedy = "say the rate in corpus.yaml (physio: {rate: …})"
    return _wrong(
        at,
        f"a clock to {what} by: the signal's rate in Hz, or a CSV column '{TIME_COLUMN}' in seconds",
        found,
        remedy,
    )


def _read_npy(path: PathLike, at: str) -> np.ndarray:
    try:
        # Memory-mapped: a crop reads only its own part.
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _wrong(
            at, _WHAT, f"bytes of another kind or a cut file ('{error}')", "write the array again"
        ) from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise _wrong(at, _WHAT, "an archive of arrays", "write one array with numpy.save")
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2):
        found = f"{values.dtype} of shape {list(values.shape)}"
        raise _wrong(at, "numbers [steps] or [steps, channels]", found, "write the array again")
    return values[:, None] if values.ndim == 1 else values


def _read_csv(path: PathLike, at: str) -> tuple[list[str], np.ndarray]:
    rows: list[list[float]] = []
    with open(path, newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.reader(file)
            names = next(reader, [])
            for row in reader:
                here = f"{at}:{reader.line_num}"
                if len(row) != len(names):
                    found = f"{len(row)} cells" if row else "an empty line"
                    raise _wrong(here, f"{len(names)} cells", found, "correct the row")
                wrong = next((cell for cell in row if not _is_number(cell)), None)
                if wrong is not None:
                    raise _wrong(here, "numbers", f"'{wrong}'", "write a number in every cell")
                rows.append(list(map(float, row)))
        except UnicodeDecodeError as error:
            raise _wrong(at, _WHAT, "bytes that are no UTF-8 text", "name the right file") from error
        except csv.Error as error:
            raise _wrong(
                f"{at}:{reader.line_num}", "cells separated by commas", f"'{error}'", "correct the row"
            ) from error
    if names and all(_is_number(name) for name in names):
        raise _wrong(
            f"{at}:1", "a header that names the channels", "numbers", "put a header above the first row"
        )
    return names, np.array(rows, dtype=np.float64).reshape(len(rows), len(names))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _wrong(at: str, expected: str, found: str, remedy: str) -> InputError:
    return InputError.of(where=at, expected=expected, found=found, remedy=remedy)
