"""Films of two to four drawn faces, one of which moves its mouth with the voice that is heard.

Everything that can deceive is drawn by chance: other mouths that chew, laugh or talk to somebody else, heads that
sway, camera noise and shake, flicker, noise in the sound, cuts after which the people sit elsewhere, and a voice that
belongs to nobody in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

RATE = 16000
FPS = 25.0
_TWICE = 2  # drawn at twice the size, then shrunk: smooth edges and half pixels

_SKINS = np.array([(250, 218, 190), (226, 178, 138), (176, 122, 84), (120, 80, 54), (245, 200, 60)], float)
_HAIRS = np.array([(30, 26, 24), (92, 58, 32), (196, 150, 70), (150, 150, 155), (140, 40, 30)], float)
_WALLS = np.array([(70, 90, 120), (110, 140, 120), (150, 120, 140), (90, 90, 90), (225, 225, 220)], float)
OTHERS = ("still", "still", "chew", "laugh", "mumble", "yawn")


@dataclass(frozen=True)
class Look:
    """One person; lengths in halves of the head's height."""

    skin: tuple
    hair: tuple
    plain: bool
    width: float
    eyes: float
    mouth_width: float
    mouth_height: float
    mouth_place: float
    lips: tuple


@dataclass
class Scene:
    """A composed clip.

    Attributes:
        frames: uint8 [T, H, W, 3].
        times: seconds of each.
        wave: float32 [samples] at ``RATE``.
        boxes: of each frame, person → (x0, y0, x1, y1) of the head; who is not in the shot is not a key.
        speaker: person whose mouth moves with the voice; None: nobody in the picture.
        looks: of the people.
        facts: what was drawn by chance.
    """

    frames: np.ndarray
    times: np.ndarray
    wave: np.ndarray
    boxes: list
    speaker: int | None
    looks: list
    facts: dict = field(default_factory=dict)


def syllables(rng: np.random.Generator, seconds: float, step: float = 0.001) -> np.ndarray:
    """How open the mouth is at each millisecond, 0 … 1: syllables of uneven length and strength, with pauses."""
    opening = np.zeros(int(seconds / step) + 1)
    at = rng.uniform(0.0, 0.25)
    while at < seconds:
        length = rng.uniform(0.13, 0.30)
        first, last = int(at / step), min(int((at + length) / step), len(opening))
        place = np.clip((np.arange(last - first) + 0.5) * step / length, 0.0, 1.0)
        pulse = np.sin(np.pi * place) ** 1.5
        opening[first:last] = rng.uniform(0.45, 1.0) * pulse
        at += length + (rng.uniform(0.25, 0.6) if rng.random() < 0.15 else rng.uniform(0.0, 0.03))
    return opening


def voice(rng: np.random.Generator, opening: np.ndarray, snr: float, step: float = 0.001) -> np.ndarray:
    """Harmonics of a gliding pitch as loud as the mouth is open, in noise of a stated distance in dB."""
    count = int(len(opening) * step * RATE)
    seconds = np.arange(count) / RATE
    loud = np.interp(seconds, np.arange(len(opening)) * step, opening)
    pitch = rng.uniform(95, 230) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * seconds))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = sum(np.sin(n * phase + n) / n for n in range(1, 9)) * loud
    noise = rng.standard_normal(count)
    if rng.random() < 0.5:  # a fan rather than a hiss
        noise = np.convolve(noise, np.ones(12) / 12, mode="same")
    noise *= np.sqrt(np.mean(sound**2) / np.mean(noise**2)) * 10 ** (-snr / 20)
    mixed = sound + noise
    return (0.3 * mixed / np.abs(mixed).max()).astype(np.float32)


def mouth(rng: np.random.Generator, role: str, times: np.ndarray) -> np.ndarray:
    """Opening of a mouth that has nothing to do with the voice, 0 … 1 at each time."""
    if role == "still":
        return np.full(len(times), rng.choice([0.0, 0.1, 0.5]))
    if role == "chew":
        return 0.25 * (1 + np.sin(2 * np.pi * rng.uniform(1.0, 2.2) * times + rng.uniform(0, 6)))
    if role == "laugh":
        beat = np.abs(np.sin(np.pi * rng.uniform(4.0, 5.5) * times + rng.uniform(0, 6)))
        return (0.35 + 0.6 * beat) * (
            np.sin(2 * np.pi * rng.uniform(0.3, 0.6) * times + rng.uniform(0, 6)) > 0
        )
    if role == "yawn":
        return np.exp(-(((times - rng.uniform(0.0, times[-1])) / 0.5) ** 2))
    own = syllables(rng, float(times[-1]) + 0.1)  # mumble: talks to somebody else
    return np.interp(times, np.arange(len(own)) * 0.001, own)


def look(rng: np.random.Generator, plain: bool) -> Look:
    """Invent a person."""
    skin = rng.choice(_SKINS) + rng.uniform(-12, 12, 3)
    return Look(
        skin=tuple(int(x) for x in np.clip(skin, 0, 255)),
        hair=tuple(int(x) for x in rng.choice(_HAIRS)),
        plain=plain,
        width=rng.uniform(0.70, 0.88),
        eyes=rng.uniform(0.28, 0.38),
        mouth_width=rng.uniform(0.26, 0.40),
        mouth_height=rng.uniform(0.12, 0.26),
        mouth_place=rng.uniform(0.46, 0.60),
        lips=(190, 60, 70) if rng.random() < 0.7 else (60, 30, 30),
    )


def draw(
    canvas: ImageDraw.ImageDraw, who: Look, x: float, y: float, half: float, opening: float, blink: float
):
    """One face; ``half``: half the height of its head, in pixels of the canvas."""

    def ellipse(cx, cy, w, h, fill):
        box = (x + (cx - w) * half, y + (cy - h) * half, x + (cx + w) * half, y + (cy + h) * half)
        canvas.ellipse(box, fill=fill)

    dark = tuple(int(0.85 * c) for c in who.skin)
    if not who.plain:
        ellipse(0, -0.14, who.width + 0.10, 1.02, who.hair)
    ellipse(0, 0.0 if who.plain else 0.04, who.width, 1.0 if who.plain else 0.96, who.skin)
    for side in (-who.eyes, who.eyes):
        if who.plain:
            ellipse(side, -0.2, 0.09, 0.11 * blink, (20, 20, 20))
        else:
            ellipse(side, -0.16, 0.16, 0.13 * blink, (245, 245, 245))
            ellipse(side, -0.15, 0.07, 0.08 * blink, (35, 30, 40))
            brow = [x + (side - 0.19) * half, y - 0.44 * half, x + (side + 0.19) * half, y - 0.37 * half]
            canvas.rectangle(brow, fill=who.hair)
    if not who.plain:
        ellipse(0, 0.14, 0.07, 0.13, dark)
    gap = who.mouth_height * opening
    ellipse(0, who.mouth_place, who.mouth_width, 0.05 + gap, who.lips)
    if gap > 0.02:
        ellipse(0, who.mouth_place, who.mouth_width - 0.05, gap, (60, 20, 25))


def compose(
    seed: int,
    *,
    people: int | None = None,
    seconds: float | None = None,
    cuts: int | None = None,
    off_screen: bool | None = None,
    size: tuple = (180, 320),
    hard: float = 1.0,
    plain: bool | None = None,
) -> Scene:
    """Compose a clip; what is not given is chance.

    Args:
        seed: the same seed gives the same clip.
        people: 2 … 4.
        seconds: length.
        cuts: changes of the shot, after each of which people sit elsewhere.
        off_screen: nobody in the picture speaks.
        size: (height, width) in pixels.
        hard: scale of noise, shake and flicker; 0: none.
        plain: two dots and a mouth on an egg; else hair, brows and a nose as well.
    """
    rng = np.random.default_rng(seed)
    people = int(rng.integers(2, 5)) if people is None else people
    seconds = float(rng.uniform(2.5, 5.0)) if seconds is None else seconds
    cuts = int(rng.choice([0, 0, 0, 1, 2])) if cuts is None else cuts
    off_screen = bool(rng.random() < 0.15) if off_screen is None else off_screen
    plain = bool(rng.random() < 0.4) if plain is None else plain
    snr = float(rng.uniform(5, 25))
    speaker = None if off_screen else int(rng.integers(people))
    times = np.arange(round(seconds * FPS)) / FPS
    said = syllables(rng, seconds + 0.2)
    wave = voice(rng, said, snr)[: round(seconds * RATE)]
    looks = [look(rng, plain) for _ in range(people)]
    roles = [str(rng.choice(OTHERS)) for _ in range(people)]
    openings = [mouth(rng, role, times) for role in roles]
    if speaker is not None:
        roles[speaker] = "speaks"
        lead = rng.uniform(-0.04, 0.08)  # lips come a little before the sound
        openings[speaker] = np.interp(times + lead, np.arange(len(said)) * 0.001, said) * rng.uniform(
            0.6, 1.0
        )
    shots = np.sort(rng.uniform(0.25, 0.75, cuts) * seconds) if cuts < 2 else np.array([0.35, 0.68]) * seconds
    boxes, frames = _film(rng, times, shots, looks, openings, size, hard)
    facts = {"roles": roles, "snr": snr, "cuts": cuts, "plain": plain, "people": people, "seconds": seconds}
    return Scene(frames, times, wave, boxes, speaker, looks, facts)


def _film(rng, times, shots, looks, openings, size, hard):
    height, width = size
    people = len(looks)
    sway = rng.uniform(0, 2 * np.pi, (people, 2))
    speed = rng.uniform(0.2, 0.9, (people, 2))
    reach = rng.uniform(0.0, 0.10, people) * hard
    blinks = rng.uniform(0, times[-1] + 0.1, people)
    noise, flicker = rng.uniform(0, 10) * hard, rng.uniform(0, 0.12) * hard * (rng.random() < 0.5)
    shake = rng.uniform(0, 1.2) * hard * (rng.random() < 0.4)
    frames = np.empty((len(times), height, width, 3), np.uint8)
    boxes: list = []
    shot_of = np.searchsorted(shots, times, side="right")
    places: dict = {}
    for k, time in enumerate(times):
        shot = int(shot_of[k])
        if shot not in places:
            order = rng.permutation(people)
            if shot and people > 1:  # after a cut nobody sits where he sat
                while (order == places[shot - 1][0]).any():
                    order = rng.permutation(people)
            half = min(0.36 * height, 0.36 * width / people) * rng.uniform(0.8, 1.0)
            lift = rng.uniform(-0.06, 0.06, people) * height
            places[shot] = (
                order,
                half,
                lift,
                tuple(int(x) for x in rng.choice(_WALLS) + rng.uniform(-15, 15, 3)),
            )
        order, half, lift, wall = places[shot]
        picture = Image.new("RGB", (width * _TWICE, height * _TWICE), wall)
        canvas = ImageDraw.Draw(picture)
        moved = rng.normal(0, shake, 2) if shake else np.zeros(2)
        boxes.append({})
        for person, who in enumerate(looks):
            wave_x, wave_y = np.sin(2 * np.pi * speed[person] * time + sway[person])
            x = (order[person] + 0.5) * width / people + reach[person] * half * 2 * wave_x + moved[0]
            y = height * 0.52 + lift[person] + reach[person] * half * wave_y + moved[1]
            blink = 1.0 - 0.9 * np.exp(-(((time - blinks[person]) / 0.06) ** 2))
            draw(canvas, who, x * _TWICE, y * _TWICE, half * _TWICE, openings[person][k], blink)
            boxes[-1][person] = (x - who.width * half, y - half, x + who.width * half, y + half)
        small = np.asarray(picture.reduce(_TWICE), np.float32)
        small = small * (1 + flicker * rng.standard_normal()) + noise * rng.standard_normal(
            small.shape, np.float32
        )
        frames[k] = np.clip(small + 0.5, 0, 255)
    return boxes, frames
