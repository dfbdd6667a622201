"""BioVid's biosignals: ``…_bio.csv`` with times in microseconds → arrays [steps, channels] at 512 Hz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus.faults import hint, number, some, stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.media import resampling

CHANNELS = ("gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
TIME = "time"
#: In Hz.
RATE = 512.0
#: How far the rate of a file may be from it and still be written as recorded: a sixth of a step in 5.5 s.
_SAME = 5e-5


def read_signals(path: Path, channels: Sequence[str]) -> tuple[np.ndarray, bool]:
    """Read one file.

    Args:
        path: tab-separated; a column ``time`` in microseconds, and the channels.
        channels: those wanted, in this order.

    Returns:
        float32 [steps, channels] at 512 Hz, and whether they had to be brought to that rate.

    Raises:
        InputError: the file is missing or empty, lacks a column, a line holds other than numbers, or the times do not
            increase or are of another clock.
    """
    text = read_utf8(path, "biosignals of a sample", stop)
    assert text is not None
    header, *lines = text.rstrip("\n").split("\n")
    names = [name.strip().strip('"').lower() for name in header.split("\t")]
    missing = [name for name in (TIME, *channels) if name not in names]
    if missing:
        raise InputError.of(
            where=f"{path}:1",
            expected=f"a tab-separated header with the columns {', '.join((TIME, *channels))}",
            found=f"{some(names)} (no {', '.join(missing)})",
            remedy=hint(missing[0], names, "choose other --channels, or correct the file").replace(
                "write '", f"rename to '{missing[0]}' the column '"
            ),
        )
    values = _numbers(path, lines, len(names))
    times = values[:, names.index(TIME)] / 1e6
    if len(times) < 2:
        raise InputError.of(
            where=path, expected="two steps at least", found=len(times), remedy="take the file anew"
        )
    back = np.flatnonzero(~(np.diff(times) > 0))
    if len(back):
        raise InputError.of(
            where=f"{path}:{back[0] + 3}",
            expected="times that increase",
            found=f"{times[back[0] + 1] * 1e6:g} after {times[back[0]] * 1e6:g}",
            remedy="take the file anew from its source",
        )
    rate = resampling.rate_of(times)
    if not RATE / 2 < rate < RATE * 2:
        raise InputError.of(
            where=path,
            expected=f"times in microseconds at about {RATE:g} Hz",
            found=f"steps at {rate:g} Hz",
            remedy="take the file anew from its source",
        )
    signals, rate = resampling.regular(values[:, [names.index(name) for name in channels]], times)
    changed = len(signals) != len(values) or abs(rate / RATE - 1) > _SAME
    if changed:
        signals = resampling.resampled(signals, rate, RATE)
    return signals.astype(np.float32), changed


def _numbers(path: Path, lines: list[str], columns: int) -> np.ndarray:
    """float64 [lines, columns], all finite."""
    try:
        values = np.array([line.split("\t") for line in lines], dtype=np.float64)
        if values.shape == (len(lines), columns) and np.isfinite(values).all():
            return values
    except ValueError:
        pass  # below it is said which line
    for line, row in enumerate(lines, start=2):
        cells = row.split("\t")
        wrong = next((cell for cell in cells if number(cell) is None), None)
        if len(cells) != columns or wrong is not None:
            raise InputError.of(
                where=f"{path}:{line}",
                expected=f"{columns} numbers separated by tabs",
                found=f"'{wrong}'" if len(cells) == columns else f"{len(cells)} cells",
                remedy="take the file anew from its source",
            )
    return np.empty((0, columns))
