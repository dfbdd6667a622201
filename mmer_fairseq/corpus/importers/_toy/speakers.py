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

    skins, hairs, walls = colours(_SKINS), colours(_HAIRS), colours(_WALLS)
    head_widths, eye_distances, mouth_widths = spread(0.72, 0.86), spread(0.30, 0.37), spread(0.33, 0.41)
    pitches, formant_scales = np.exp(spread(np.log(150.0), np.log(200.0))), spread(0.88, 1.14)
    loudnesses, breaths = spread(-1.5, 1.5), spread(0.02, 0.10)
    return {
        name: Speaker(
            name=name,
            skin=skins[i],
            hair=hairs[i],
            wall=walls[i],
            head_width=float(head_widths[i]),
            eye_distance=float(eye_distances[i]),
            mouth_width=float(mouth_widths[i]),
            pitch=float(pitches[i]),
            formant_scale=float(formant_scales[i]),
            loudness=float(loudnesses[i]),
            breath=float(breaths[i]),
        )
        for i, name in enumerate(NAMES)
    }
