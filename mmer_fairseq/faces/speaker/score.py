"""Lips of each track against the voice → how much speaks for each, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmer_fairseq.faces.speaker.lips import Lips
from mmer_fairseq.faces.speaker.voice import shifted

#: The lips may come before the voice or after it by so many seconds; small differences are more likely.
MOST_LAG = 0.2
_LIKELY_LAG = 0.07
_STEP = 0.02

# Independent looks at a mouth in a second: it opens about four times.
_LOOKS = 7.0

# Ways of a mouth to change that may follow the voice, and what each of them costs.
_WAYS, _COST = 3, 1.0

# Correlations are never taken to be better than this: 1 would prove everything.
_BEST = 0.95

# What speaks for a voice from outside the picture, whatever the mouths do; and the share of a mouth's agreement with
# the same voice at wrong times that is taken off (a rhythm as even as a clock agrees at any time).
NOBODY = 2.8
_BY_CHANCE = 0.1

# Evidence is worth this much of what it would be if mouths and voices were as simple as the formula.
_WORTH = 0.9


@dataclass(frozen=True)
class Evidence:
    """How a mouth agrees with the voice.

    Attributes:
        track: id.
        value: log-likelihood ratio against a mouth that has nothing to do with the voice; can be below 0.
        share: of the voice's changes that the mouth explains (R²), 0 … 1.
        lag: seconds by which the voice comes after the lips.
        chance: 90th percentile of ``share`` when the voice is moved in time by more than the lags looked at.
        activity: of the mouth (:class:`Lips`).
    """

    track: int
    value: float
    share: float
    lag: float
    chance: float
    activity: float


def agreement(
    lips: Lips, seconds: np.ndarray, loud: np.ndarray, times: np.ndarray, *, method: str = "shape"
) -> Evidence:
    """Compare one mouth with the voice.

    Args:
        lips: of a track.
        seconds: of ``loud``.
        loud: loudness of the voice of the whole clip.
        times: of the clip's pictures, in seconds.
        method: ``shape`` (how the mouth looks follows how loud the voice is) or ``motion`` (it moves when the voice
            grows louder or softer; coarser, and needs no more than differences of pictures).
    """
    at = times[lips.index]
    nothing = Evidence(lips.track, -_COST, 0.0, 0.0, 0.0, lips.activity)
    if len(at) < 6 or loud.max() <= 0 or lips.looks.std() <= 1e-6:
        return nothing
    length = float(times[-1] - times[0]) + _STEP
    circle = np.arange(0, max(1, round(length / _STEP))) * _STEP
    lags = np.where(circle > length / 2, circle - length, circle)
    voice = _plain(shifted(seconds, loud, at - times[0], circle, length))
    power = (voice**2).sum(axis=1)
    if power.max() <= 1e-9:
        return nothing
    looks = _LOOKS * len(at) * float(np.median(np.diff(times)))
    best: tuple[float, float, float, float] | None = None
    for ways, share in _shares(lips, voice, power, method):
        near = np.abs(lags) <= MOST_LAG + 1e-9
        value = _value(share, looks) - _COST * ways - 0.5 * (lags / _LIKELY_LAG) ** 2
        k = int(np.flatnonzero(near)[value[near].argmax()])
        far = share[np.abs(lags) > 2 * MOST_LAG]
        chance = float(np.percentile(far, 90)) if len(far) >= 5 else 0.0
        fair = float(value[k]) - _BY_CHANCE * float(_value(np.array(chance), looks))
        if best is None or fair > best[0]:
            best = fair, float(share[k]), float(lags[k]), chance
    assert best is not None
    return Evidence(lips.track, *best, lips.activity)


def _value(share: np.ndarray, looks: float) -> np.ndarray:
    """Log-likelihood ratio of a regression that explains this share."""
    return -0.5 * looks * np.log(1.0 - np.minimum(share, _BEST))


def _shares(lips: Lips, voice: np.ndarray, power: np.ndarray, method: str) -> list[tuple[int, np.ndarray]]:
    """For each number of ways: the share explained at each lag."""
    if method == "motion":
        moves = _plain(lips.moves[None])[0]
        change = _plain(np.abs(np.gradient(voice, axis=1)))
        below = np.sqrt((change**2).sum(axis=1) * (moves**2).sum()) + 1e-9
        return [(1, np.maximum(change @ moves / below, 0.0) ** 2)]
    result = []
    looks = _plain(lips.looks.T).T
    for ways in range(1, min(_WAYS, looks.shape[1]) + 1):
        basis, _ = np.linalg.qr(looks[:, :ways])
        result.append((ways, ((voice @ basis) ** 2).sum(axis=1) / (power + 1e-9)))
    return result


def _plain(rows: np.ndarray) -> np.ndarray:
    """Without mean and trend."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    trend = np.linspace(-1, 1, rows.shape[1])
    trend /= np.linalg.norm(trend)
    return rows - np.outer(rows @ trend, trend)


def chances(values: Sequence[float], nobody: float = NOBODY) -> np.ndarray:
    """Evidence for each of N people → their probabilities and that of nobody in the picture, float64 [N + 1]."""
    every = _WORTH * np.array([*values, nobody], dtype=np.float64)
    every = np.exp(every - every.max())
    return every / every.sum()
