"""A speech-like sound: harmonics of a gliding pitch, shaped by vowels, beaten into syllables."""

from __future__ import annotations

import numpy as np

from mmer_fairseq.corpus.importers._toy.plan import ClipPlan
from mmer_fairseq.corpus.importers._toy.speakers import Speaker

SAMPLE_RATE = 16000
"""Hz."""
_CONTROL_STEP = 80
"""Samples between two values of a slow curve (5 ms)."""
_VOWELS = np.array(
    [(730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)], dtype=float
)
"""First three resonances of a, e, i, o, u in Hz. Source: Peterson & Barney 1952, table II (men)."""
_WIDTHS = np.array([90.0, 120.0, 180.0])
"""Half widths of the resonances in Hz."""


def openness(syllables: np.ndarray) -> np.ndarray:
    """How open the mouth and how loud the syllable is, 0 … 1; `syllables` as in `ClipPlan.syllables`."""
    return np.sin(np.pi * (syllables % 1.0)) ** 1.5


def speak(plan: ClipPlan, speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    """Synthesise the clip's sound.

    Args:
        plan: the clip.
        speaker: who speaks.
        rng: the clip's own source of chance (vowels, breath, room noise).

    Returns:
        Samples at SAMPLE_RATE, mono, float64 in (-1, 1); their number is plan.seconds * SAMPLE_RATE.
    """
    count = round(plan.seconds * SAMPLE_RATE)
    slow = np.arange(count // _CONTROL_STEP + 2) * _CONTROL_STEP
    times = slow / SAMPLE_RATE
    syllables = plan.syllables(times)
    arousal = plan.shown("voice_arousal", times)
    glide = 0.35 * plan.shown("voice_valence", times) * (syllables % 1.0 - 0.5)
    pitch = speaker.pitch * np.exp(0.65 * arousal + glide + 0.015 * np.sin(2 * np.pi * 5.5 * times))
    vowels = _VOWELS[rng.integers(len(_VOWELS), size=int(syllables[-1]) + 1)]
    resonances = vowels[syllables.astype(int)] * speaker.formant_scale
    loudness = 10 ** ((speaker.loudness + 9.0 * arousal - 14.0) / 20)

    samples = np.arange(count)
    phase = np.cumsum(np.interp(samples, slow, pitch)) * (2 * np.pi / SAMPLE_RATE)
    turn = np.exp(1j * phase)
    sound, harmonic = np.zeros(count), turn.copy()
    for number in range(1, int(7000 / pitch.min()) + 1):
        gain = _gain(number * pitch, resonances, tilt=number ** (-1.1 + 0.5 * arousal))
        sound += np.interp(samples, slow, gain) * harmonic.imag
        harmonic *= turn
    sound += speaker.breath * rng.standard_normal(count)
    envelope = np.interp(samples, slow, loudness) * openness(np.interp(samples, slow, syllables))
    sound = sound * envelope + 0.0015 * rng.standard_normal(count)
    return np.tanh(sound)


def _gain(hertz: np.ndarray, resonances: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """Loudness of one harmonic over time, from its place on the resonances; nothing above 7 kHz."""
    peaks = 1.0 / (1.0 + ((hertz[:, None] - resonances) / _WIDTHS) ** 2)
    gain = (peaks * (1.0, 0.6, 0.3)).sum(axis=1) + 0.05
    return np.where(hertz < 7000, gain * tilt, 0.0)
