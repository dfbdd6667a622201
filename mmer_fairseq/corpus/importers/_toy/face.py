"""A drawn face that moves: mouth and brows show the emotion, the mouth opens with the syllables.

Places are in half heads from the middle of the head: x to the right, y downwards. A shape is a signed
distance (negative inside), so that its edge can be drawn smooth at any size.
"""

from __future__ import annotations

import numpy as np

from mmer_fairseq.corpus.importers._toy.plan import FRAME_RATE, ClipPlan
from mmer_fairseq.corpus.importers._toy.speakers import Speaker
from mmer_fairseq.corpus.importers._toy.voice import openness

_HEAD = 0.42
"""Half the head's height, as a share of the picture."""


class _Canvas:
    """All pictures of one clip, with the place of every pixel on the (moving) head."""

    def __init__(self, frames: int, size: int, wall: np.ndarray, dx: np.ndarray, dy: np.ndarray) -> None:
        grid = ((np.arange(size) + 0.5) / size - 0.5) / _HEAD
        self.x = (grid[None, None, :] - dx[:, None, None]).astype(np.float32)
        self.y = (grid[None, :, None] - 0.08 - dy[:, None, None]).astype(np.float32)
        self.pixel = 1.0 / (size * _HEAD)
        self.pictures = np.empty((frames, size, size, 3), dtype=np.float32)
        self.pictures[:] = wall

    def part(self, top: float, bottom: float) -> _Canvas:
        """The rows between two heights, whatever the head's movement: painting there costs less."""
        height = self.y[:, :, 0]
        rows = np.flatnonzero(((height > top) & (height < bottom)).any(axis=0))
        view = object.__new__(_Canvas)
        band = slice(rows[0], rows[-1] + 1)
        view.x, view.y, view.pixel = self.x, self.y[:, band], self.pixel
        view.pictures = self.pictures[:, band]
        return view

    def paint(self, distance: np.ndarray, colour: np.ndarray) -> None:
        cover = np.clip(0.5 - distance / self.pixel, 0.0, 1.0)[..., None].astype(np.float32)
        self.pictures += cover * (colour.astype(np.float32) - self.pictures)

    def ellipse(self, x: float, y: float, width: float, height: float | np.ndarray) -> np.ndarray:
        u, v = (self.x - x) / width, (self.y - y) / height
        return ((np.sqrt(u * u + v * v) - 1.0) * np.minimum(width, height)).astype(np.float32)

    def stroke(
        self, ends: tuple[tuple[float, np.ndarray], tuple[float, np.ndarray]], radius: float
    ) -> np.ndarray:
        """A thick line between two (x, y [frames, 1, 1]) with round ends."""
        (x0, y0), (x1, y1) = ends
        along_x, along_y = x1 - x0, y1 - y0
        px, py = self.x - x0, self.y - y0
        place = np.clip((px * along_x + py * along_y) / (along_x**2 + along_y**2), 0.0, 1.0)
        return np.sqrt((px - place * along_x) ** 2 + (py - place * along_y) ** 2) - radius


def draw_face(plan: ClipPlan, speaker: Speaker, rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw every picture of a clip.

    Args:
        plan: the clip.
        speaker: who is seen.
        rng: the clip's own source of chance (movement of the head, blinks, light).
        size: width and height in pixels.

    Returns:
        uint8 array [frames, size, size, 3], RGB, FRAME_RATE pictures per second.
    """
    times = np.arange(plan.frames) / FRAME_RATE
    sway = rng.uniform(0, 2 * np.pi, size=2)
    dx = 0.06 * np.sin(2 * np.pi * 0.5 * times + sway[0]) + rng.uniform(-0.08, 0.08)
    dy = 0.03 * np.sin(2 * np.pi * 0.8 * times + sway[1]) + rng.uniform(-0.05, 0.05)
    canvas = _Canvas(plan.frames, size, speaker.wall, dx, dy)
    canvas.paint(canvas.ellipse(0, -0.14, speaker.head_width + 0.10, 1.02), speaker.hair)
    canvas.paint(canvas.ellipse(0, 0.04, speaker.head_width, 0.98), speaker.skin)
    valence = np.tanh(2.0 * plan.shown("face_valence", times))[:, None, None]
    arousal = np.tanh(2.0 * plan.shown("pace_arousal", times))[:, None, None]
    blink = np.exp(-(((times - rng.uniform(0, plan.seconds)) / 0.06) ** 2))[:, None, None]
    _eyes(canvas.part(-0.5, 0.1), speaker, (1.0 + 0.3 * arousal) * (1.0 - 0.9 * blink))
    _brows(canvas.part(-0.85, -0.1), speaker, valence, arousal)
    nose = canvas.part(-0.1, 0.35)
    nose.paint(nose.ellipse(0, 0.14, 0.07, 0.13), speaker.skin * 0.85)
    opening = openness(plan.syllables(times))[:, None, None]
    _mouth(canvas.part(0.15, 1.0), speaker, valence, opening)
    light = rng.uniform(0.92, 1.08)
    return np.clip(canvas.pictures * light + 0.5, 0, 255).astype(np.uint8)


def _eyes(canvas: _Canvas, speaker: Speaker, opening: np.ndarray) -> None:
    for x in (-speaker.eye_distance, speaker.eye_distance):
        canvas.paint(canvas.ellipse(x, -0.16, 0.16, 0.13 * opening), np.full(3, 245.0))
        canvas.paint(
            canvas.ellipse(x, -0.15, 0.07, 0.08 * np.minimum(opening, 1.0)), np.array([35.0, 30, 40])
        )


def _brows(canvas: _Canvas, speaker: Speaker, valence: np.ndarray, arousal: np.ndarray) -> None:
    """Angry: inner ends down. Sad: inner ends up. Happy: both raised. Content: both low and level."""
    bad, good = np.clip(-valence, 0, 1), np.clip(valence, 0, 1)
    slant = 0.16 * bad * arousal
    height = -0.42 - 0.12 * good * arousal
    for side in (-1.0, 1.0):
        inner = (side * (speaker.eye_distance - 0.19), height + slant)
        outer = (side * (speaker.eye_distance + 0.19), height - slant)
        canvas.paint(canvas.stroke((inner, outer), 0.055), speaker.hair * 0.6)


def _mouth(canvas: _Canvas, speaker: Speaker, valence: np.ndarray, opening: np.ndarray) -> None:
    """Corners up for positive valence, down for negative."""
    width = speaker.mouth_width * (1.0 + 0.12 * valence)
    arch = 1.0 - np.minimum(np.abs(canvas.x) / width, 1.2) ** 2
    middle = 0.54 + 0.22 * valence * (arch - 0.5)
    outside = np.maximum(np.abs(canvas.x) - width, 0.0)
    gap = np.abs(canvas.y - middle) - 0.14 * opening * np.clip(arch, 0, 1)
    distance = np.sqrt(np.maximum(gap, 0) ** 2 + outside**2) + np.minimum(gap, 0)
    canvas.paint(distance - 0.06, np.array([190.0, 60, 70]))
    canvas.paint(distance + 0.005, np.array([70.0, 20, 30]))
