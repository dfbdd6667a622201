"""Signals of several channels from one rate to another."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Tuple

import numpy as np

# Steps are regular when no period differs from the median one by more than this share.
JITTER = 0.01

# Periods of the slower of both rates by which the ends are continued: longer than half of soxr's filter.
_MARGIN = 64

# Rates are taken as a ratio of whole numbers, exact for those that can be written down.
_LARGEST = 100_000


def rate_of(times: np.ndarray) -> float:
    """Steps per second in Hz.

    Args:
        times: [steps] in seconds, increasing, two at least.

    Returns:
        1 / the mean period where all are regular, else 1 / the median period, which gaps do not change.
    """
    periods = np.diff(times)
    return 1.0 / float(np.mean(periods) if _is_regular(periods) else np.median(periods))


def regular(values: np.ndarray, times: np.ndarray) -> Tuple[np.ndarray, float]:
    """A signal at one rate.

    Args:
        values: [steps, channels].
        times: [steps] in seconds, increasing, two at least.

    Returns:
        ([steps', channels], Hz): the values as they are where the steps are regular, else interpolated linearly at
        the median period from the first time on.
    """
    rate = rate_of(times)
    if _is_regular(np.diff(times)):
        return values, rate
    steps = math.floor((times[-1] - times[0]) * rate + 1e-6) + 1
    moments = times[0] + np.arange(steps) / rate
    return np.stack([np.interp(moments, times, channel) for channel in values.T], axis=1), rate


def resampled(values: np.ndarray, rate: float, to_rate: float) -> np.ndarray:
    """Resample by soxr (linear phase; what lies above half of the lower rate is filtered out).

    Both ends are continued by their mirror image first: a level away from zero, such as that of skin
    conductance, would ring as if it had been switched on.

    Args:
        values: float64 [steps, channels], one step at least.
        rate: of the values, in Hz.
        to_rate: wanted, in Hz.

    Returns:
        float64 [max(1, round(steps · to_rate / rate)), channels]; the values themselves where the rates are so close
        that no step moves by half of its length.
    """
    ratio = Fraction(to_rate / rate).limit_denominator(_LARGEST)
    if abs(to_rate / rate - 1) * len(values) < 0.5 or not ratio:
        return values
    import soxr

    up, down = ratio.numerator, ratio.denominator
    units = math.ceil(_MARGIN * max(1, down / up) / down)
    before, cut = units * down, units * up
    mode: Any = "reflect" if len(values) > 1 else "edge"
    padded = np.pad(values, ((before, before), (0, 0)), mode=mode)
    length = max(1, math.floor(len(values) * to_rate / rate + 0.5))
    result = soxr.resample(np.ascontiguousarray(padded, dtype=np.float64), down, up)[cut : cut + length]
    return np.pad(result, ((0, length - len(result)), (0, 0)), mode="edge")


def _is_regular(periods: np.ndarray) -> bool:
    median = float(np.median(periods))
    return bool((np.abs(periods - median) <= JITTER * median).all())
