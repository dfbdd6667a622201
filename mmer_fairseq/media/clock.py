"""Seconds ↔ samples ↔ pictures: each conversion once, with its reason."""

from __future__ import annotations

import math
from typing import Optional, Tuple

from mmer_fairseq.errors import InputError

# Annotated times are rounded and tracks of one file end at slightly different moments: an end this little
# behind the end of the medium means its end. In seconds.
END_SLACK = 0.25

# A medium counts as cut off when more than this is missing: headers round, and the last packet may be short.
LOST_SECONDS = 0.25
LOST_SHARE = 0.02

# Longest rounding of a picture's time that is undone. Matroska stores milliseconds: the third picture of a 30
# Hz video is stored at 0.067 s, not at 0.0666…; asking for 30 Hz must still give every picture once.
MAX_TIME_ROUNDING = 0.001


def sample_at(seconds: float, rate: int) -> int:
    """Index of the sample nearest to a time: crops that share a border share it here too."""
    return math.floor(seconds * rate + 0.5)


def resampled_length(samples: int, source_rate: int, rate: int) -> int:
    """Samples after resampling, rounded to the nearest in integers: exact for any length."""
    return (2 * samples * rate + source_rate) // (2 * source_rate)


def picture_count(seconds: float, rate: float) -> int:
    """Moments k / rate, k = 0, 1, …, before ``seconds`` (the small term undoes float rounding)."""
    return max(0, math.ceil(seconds * rate - 1e-6))


def time_rounding(tick: float) -> float:
    """How far a stored time may lie from the true one: half a tick of the track's clock, in seconds.

    Bounded, because AVI's tick is a whole picture, and there the stored time is exact.
    """
    return min(tick / 2, MAX_TIME_ROUNDING)


def lost_seconds(seconds: float) -> float:
    """How much less than announced a medium may give before it counts as cut off."""
    return max(LOST_SECONDS, LOST_SHARE * seconds)


def span(
    start: Optional[float], end: Optional[float], seconds: Optional[float], at: str
) -> Tuple[float, Optional[float]]:
    """Check a crop against a medium.

    Args:
        start: where it begins, in seconds (None: 0).
        end: where it ends, in seconds (None: the medium's end).
        seconds: length of the medium, None where its headers do not say.
        at: what messages name.

    Returns:
        (start, end) with start ≥ 0; end stays None where it was.

    Raises:
        InputError: not finite, negative, start ≥ end, outside the medium, or a medium that holds nothing.
    """
    begin = 0.0 if start is None else float(start)
    stop = math.inf if end is None else float(end)
    if (
        math.isnan(begin)
        or math.isnan(stop)
        or not 0 <= begin < stop
        or (end is not None and math.isinf(stop))
    ):
        raise InputError.of(
            where=at,
            expected="0 ≤ start < end, in seconds",
            found=f"start {start}, end {end}",
            remedy="correct the times of the clip",
        )
    if seconds is not None and seconds <= 0:
        raise InputError.of(
            where=at,
            expected="a medium that lasts longer than 0 s",
            found="one without a sample or picture",
            remedy="name the right file or leave this cell of the corpus empty",
        )
    if seconds is not None and (begin >= seconds or (end is not None and stop > seconds + END_SLACK)):
        raise InputError.of(
            where=at,
            expected=f"start and end inside the medium, which lasts {seconds:.3f} s",
            found=f"start {begin:g} s, end {'at its end' if end is None else f'{stop:g} s'}",
            remedy="correct the times of the clip or name the right file",
        )
    return begin, None if end is None else stop
