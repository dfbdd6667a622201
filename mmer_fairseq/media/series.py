"""Signals other than sound and picture (pulse, skin conductance, …): NumPy or CSV → steps × channels."""

from __future__ import annotations

import csv
import os
from typing import Optional

import numpy as np
import torch
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import clock
from mmer_fairseq.media.files import PathLike, place, read_head

_WHAT = "a signal: an .npy array [steps, channels], or a .csv file whose header names the channels"

# A CSV column of this name holds the moment of each row in seconds; it is a clock, no channel.
TIME_COLUMN = "time"


def load_series(
    path: PathLike,
    *,
    start: Optional[float] = None,
    end: Optional[float] = None,
    rate: Optional[float] = None,
    where: Optional[str] = None,
) -> Tensor:
    """Read a signal.

    Args:
        path: ``.npy`` [steps] or [steps, channels], or ``.csv`` with a header.
        start: beginning of the crop in seconds (None: 0).
        end: end of the crop in seconds, itself outside (None: the end).
        rate: steps per second in Hz; needed for a crop unless the CSV has a column ``time`` in seconds.
        where: row that names the file, for messages.

    Returns:
        FloatTensor [steps, channels].

    Raises:
        InputError: missing, empty or foreign file; no steps; values that are no finite numbers; a crop
            outside the signal or of a signal without a clock.
    """
    at = place(path, where)
    read_head(path, where, _WHAT)
    times: Optional[np.ndarray] = None
    if os.fspath(path).lower().endswith(".npy"):
        values = _read_npy(path, at)
    elif os.fspath(path).lower().endswith(".csv"):
        names, values = _read_csv(path, at)
        column = [name.strip().lower() for name in names]
        if TIME_COLUMN in column:
            times = values[:, column.index(TIME_COLUMN)]
            values = np.delete(values, column.index(TIME_COLUMN), axis=1)
    else:
        raise _wrong(at, _WHAT, f"the name '{os.path.basename(path)}'", "convert it to .npy or .csv")
    if start is not None or end is not None:
        values = values[_crop(start, end, len(values), times, rate, at)]
    if 0 in values.shape:
        raise _wrong(
            at,
            "at least one step and one channel",
            f"shape {list(values.shape)}",
            "correct the file or the times",
        )
    result = np.array(values, dtype=np.float32)
    if not np.isfinite(result).all():
        step, channel = np.argwhere(~np.isfinite(result))[0]
        found = f"{result[step, channel]} in step {step + 1} of channel {channel + 1}"
        raise _wrong(
            at, "finite numbers", found, "interpolate the gap or leave this cell of the corpus empty"
        )
    return torch.from_numpy(result)


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
        raise _wrong(
            at,
            f"a clock to crop by: the signal's rate in Hz, or a CSV column '{TIME_COLUMN}' in seconds",
            f"start {start}, end {end} and no clock",
            "give the rate of the signal, or leave start and end empty",
        )
    begin, stop = clock.span(start, end, steps / rate, at)
    return slice(clock.picture_count(begin, rate), steps if stop is None else clock.picture_count(stop, rate))


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
