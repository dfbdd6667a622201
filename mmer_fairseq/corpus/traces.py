"""Trace labels: floats over time, one file a clip (CSV with a header, or .npy [T, N])."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus.faults import count, some, stop
from mmer_fairseq.corpus.textfile import read_utf8, unreadable
from mmer_fairseq.errors import InputError


def read_trace(
    path: str | Path,
    names: tuple[str, ...],
    *,
    where: str,
    bounds: tuple[float, float] | None = None,
    invalid: float | None = None,
) -> np.ndarray:
    """Read the trace of one clip.

    Args:
        path: a .npy file [T, N], or a CSV whose header holds ``names`` (other columns, such as a time, are
            not read).
        names: the N values of a step, in the order wanted.
        where: ``path:line`` of the corpus row, for messages.
        bounds: lowest and highest value allowed.
        invalid: the value that marks a step without annotation.

    Returns:
        float32 [T, N]; NaN where a value is invalid.

    Raises:
        InputError: the file is missing, empty or foreign, lacks a column, or holds a wrong value.
    """
    path = Path(path)
    array = _read_npy(path, names, where) if path.suffix == ".npy" else _read_csv(path, names, where)
    if not len(array):
        raise InputError.of(
            where=where,
            expected="a trace of one step at least",
            found=f"none in {path}",
            remedy="add the trace or take the clip out",
        )
    unmarked = np.isnan(array) if invalid is None else np.zeros(array.shape, dtype=bool)
    if invalid is not None:
        marked = np.isnan(array) if math.isnan(invalid) else array == invalid
        unmarked = np.isnan(array) & ~marked
        array = np.where(marked, np.nan, array)
    low, high = bounds or (-math.inf, math.inf)
    wrong = unmarked | np.isinf(array) | (array < low) | (array > high)
    if wrong.any():
        step, column = (int(i) for i in np.argwhere(wrong)[0])
        at = f"{path}:{step + 2}" if path.suffix != ".npy" else f"{path}, step {step}"
        raise InputError.of(
            where=at,
            expected=f"{names[column]} to be a number" + (f" from {low:g} to {high:g}" if bounds else ""),
            found=f"{array[step, column]:g} ({count(int(wrong.sum()), 'such value')} in all)",
            remedy="correct the file, or give steps without annotation the value of 'invalid:'",
        )
    return array.astype(np.float32)


def _read_npy(path: Path, names: tuple[str, ...], where: str) -> np.ndarray:
    expected = f"a .npy file of floats [T, {len(names)}]"
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise unreadable(path, "a trace file", error, where) from error
    except (ValueError, EOFError) as error:  # NumPy's own words advise to load it unsafely
        raise InputError.of(
            where=where,
            expected=expected,
            found=f"a file of another kind, or a damaged one: {path}",
            remedy="write it with numpy.save",
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError.of(
            where=where, expected=expected, found=f"no floats in {path}", remedy="write it with numpy.save"
        )
    array = array[:, None] if array.ndim == 1 and len(names) == 1 else array
    if array.ndim != 2 or array.shape[1] != len(names):
        raise InputError.of(
            where=where,
            expected=expected + f" ({', '.join(names)})",
            found=f"shape {list(array.shape)} in {path}",
            remedy="save one column per name of the label space",
        )
    return array.astype(np.float64)


def _read_csv(path: Path, names: tuple[str, ...], where: str) -> np.ndarray:
    text = read_utf8(path, "a trace file", stop, where)
    assert text is not None
    header, *rows = text.rstrip("\n").split("\n")
    columns = [name.strip() for name in header.split(",")]
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError.of(
            where=f"{path}:1",
            expected=f"a header with the columns {', '.join(names)}",
            found=f"{some(columns)} (no {', '.join(missing)})",
            remedy="write the names of the label space, separated by commas, in the first line",
        )
    picked = [columns.index(name) for name in names]
    array = np.empty((len(rows), len(names)))
    for step, row in enumerate(rows):
        cells = row.split(",")
        try:
            array[step] = [float(cells[index]) for index in picked]
        except (ValueError, IndexError) as error:
            raise InputError.of(
                where=f"{path}:{step + 2}",
                expected=f"{count(len(columns), 'number')} separated by commas",
                found=repr(row),
                remedy="correct the line",
            ) from error
    return array
