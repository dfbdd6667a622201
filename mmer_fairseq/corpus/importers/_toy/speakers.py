"""The invented people of the toy corpus: how each looks and sounds, whatever they feel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMES = ("ada", "ben", "cleo", "dov", "ewa", "finn", "gita", "hugo", "ines", "jun")
SPLIT_SPEAKERS = {"train": NAMES[:6], "valid": NAMES[6:8], "test": NAMES[8:]}
"""Nobody is in two splits."""

_SKINS = np.array([(250, 218, 190), (226, 178, 138), (176, 122, 84), (120, 80, 54)], dtype=np.float32)
_HAIRS = np.array([(30, 26, 24), (92, 58, 32), (196, 150, 70), (150, 150, 155)], dtype=np.float32)
_WALLS = np.array([(70, 90, 120), (110, 140, 120), (150, 120, 140), (90, 90, 90)], dtype=np.float32)


@dataclass(frozen=True)
class Speaker:
    """One person. Lengths are in half heads (the head is 2 high), colours in 0 … 255."""

    name: str
    skin: np.ndarray
    hair: np.ndarray
    wall: np.ndarray
    head_width: float
    eye_distance: float
    mouth_width: float
    pitch: float
    """Resting pitch in Hz."""
    formant_scale: float
    """Vocal tract: every resonance is multiplied by this."""
    loudness: float
    """Habitual loudness against the average person, in dB."""
    breath: float
    """Share of breath noise in the voice, 0 … 1."""


def draw_speakers(rng: np.random.Generator) -> dict[str, Speaker]:
    """Invent the ten people.

    Each property is spread evenly over all ten, in its own random order: a speaker of the validation split
    lies between speakers of the training split, as it would in a larger corpus.
    """
    count = len(NAMES)

    def spread(low: float, high: float) -> np.ndarray:
        return low + (high - low) * (rng.permutation(count) + 0.5) / count

    def colours(palette: np.ndarray) -> np.ndarray:
        place = spread(0.0, len(palette) - 1.0)
        left = place.astype(int)
        share = (place - left)[:, None].astype(np.float32)
        return palette[left] * (1 - share) + palette[left + 1] * share

    columns = {
        "skin": colours(_SKINS),
        "hair": colours(_HAIRS),
        "wall": colours(_WALLS),
        "head_width": spread(0.72, 0.86),
        "eye_distance": spread(0.30, 0.37),
        "mouth_width": spread(0.33, 0.41),
        "pitch": np.exp(spread(np.log(150.0), np.log(200.0))),
        "formant_scale": spread(0.88, 1.14),
        "loudness": spread(-1.5, 1.5),
        "breath": spread(0.02, 0.10),
    }
    return {
        name: Speaker(name=name, **{key: _plain(values[i]) for key, values in columns.items()})
        for i, name in enumerate(NAMES)
    }


def _plain(value: np.ndarray) -> np.ndarray | float:
    return value if value.ndim else float(value)
