"""Measured on what is drawn and sung, without any network: the signals show what the plan says they show.

Mirrors face.py and voice.py together: the last test needs both.
"""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._toy.face import draw_face
from mmer_fairseq.corpus.importers._toy.plan import EMOTIONS, FRAME_RATE, ClipPlan, plan_clips
from mmer_fairseq.corpus.importers._toy.speakers import draw_speakers
from mmer_fairseq.corpus.importers._toy.voice import SAMPLE_RATE, speak

PLANS = plan_clips(clips=60, seed=4, missing=0.0)
SPEAKERS = draw_speakers(np.random.default_rng(0))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [draw_face(p, SPEAKERS[p.speaker], np.random.default_rng(p.index), 64) for p in PLANS]


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    return [speak(p, SPEAKERS[p.speaker], np.random.default_rng(p.index)) for p in PLANS]


def smile(frame: np.ndarray) -> float:
    """How much lower the middle of the lips lies than their corners, in pixels."""
    red, green, blue = (frame[..., i].astype(float) for i in range(3))
    rows, columns = np.nonzero((red > 120) & (green < 0.5 * red) & (blue < 0.55 * red))
    left, right = columns.min(), columns.max()
    width = (right - left) / 5
    corners = (columns < left + width) | (columns > right - width)
    inner = np.abs(columns - (left + right) / 2) < width
    return float(rows[inner].mean() - rows[corners].mean())


def level(sound: np.ndarray) -> float:
    """Mean loudness in dB against full scale."""
    return float(20 * np.log10(sound.std()))


def pitch(sound: np.ndarray) -> float:
    """Median pitch in Hz, by autocorrelation over 50 ms blocks of the louder half."""
    blocks = sound[: len(sound) // 800 * 800].reshape(-1, 800)
    loud = blocks[blocks.std(axis=1) > np.median(blocks.std(axis=1))]
    found = []
    for block in loud:
        likeness = np.correlate(block, block, "full")[800 - 1 :]
        found.append(SAMPLE_RATE / (40 + likeness[40:230].argmax()))
    return float(np.median(found))


def told(plan: ClipPlan, cue: str) -> float:
    return float(np.median(plan.shown(cue, np.linspace(0, plan.seconds, 50))))


def test_sizes_and_ranges(pictures: list[np.ndarray], sounds: list[np.ndarray]):
    for plan, film, sound in zip(PLANS, pictures, sounds):
        assert film.shape == (plan.frames, 64, 64, 3)
        assert film.dtype == np.uint8
        assert len(sound) == plan.frames * SAMPLE_RATE // FRAME_RATE
        assert np.isfinite(sound).all()
        assert 0.01 < np.abs(sound).max() < 1


def test_the_same_chance_gives_the_same_clip(pictures: list[np.ndarray], sounds: list[np.ndarray]):
    plan = PLANS[3]
    speaker = SPEAKERS[plan.speaker]
    assert (draw_face(plan, speaker, np.random.default_rng(plan.index), 64) == pictures[3]).all()
    assert (speak(plan, speaker, np.random.default_rng(plan.index)) == sounds[3]).all()


def test_mouth_follows_valence_over_time(pictures: list[np.ndarray]):
    shown, measured = [], []
    for plan, film in zip(PLANS, pictures):
        times = np.arange(0, plan.frames, 5)
        shown += list(plan.shown("face_valence", times / FRAME_RATE))
        measured += [smile(film[i]) for i in times]
    assert np.corrcoef(shown, measured)[0, 1] > 0.9


def test_mouth_opens_with_the_syllables(pictures: list[np.ndarray], sounds: list[np.ndarray]):
    likeness = []
    for film, sound in zip(pictures, sounds):
        dark = (film.astype(int).sum(axis=-1) < 150)[:, 38:, 20:44].sum(axis=(1, 2))
        loud = np.sqrt((sound.reshape(len(film), -1) ** 2).mean(axis=1))
        if dark.std() > 0:  # some skins are as dark as the mouth in this crude measure
            likeness.append(np.corrcoef(dark, loud)[0, 1])
    assert np.median(likeness) > 0.5


def test_pitch_and_loudness_follow_arousal_across_speakers(sounds: list[np.ndarray]):
    plain = [i for i, plan in enumerate(PLANS) if not plan.second]
    high = np.array([told(PLANS[i], "voice_arousal") > 0 for i in plain])
    levels, pitches = (np.array([measure(sounds[i]) for i in plain]) for measure in (level, pitch))
    assert levels[high].min() > levels[~high].max()
    assert ((pitches > 180) == high).mean() > 0.95


def test_tempo_follows_the_pace_cue():
    times = np.linspace(0, 1.2, 200)
    tempo = {True: [], False: []}
    for plan in PLANS:
        if not plan.second:
            tempo[told(plan, "pace_arousal") > 0].append(plan.syllables(times)[-1] / 1.2)
    assert min(tempo[True]) > max(tempo[False])


def test_face_and_voice_together_tell_what_neither_tells_alone(
    pictures: list[np.ndarray], sounds: list[np.ndarray]
):
    happy = [np.mean([smile(frame) for frame in film[::5]]) > 0 for film in pictures]
    excited = [level(sound) > -26 for sound in sounds]
    right = {"face": 0, "voice": 0, "both": 0}
    for plan, good, loud in zip(PLANS, happy, excited):
        valence, arousal = EMOTIONS[plan.emotion]
        right["face"] += (
            good == (valence > 0)
        ) and arousal > 0  # the face's best guess where it says nothing
        right["voice"] += (loud == (arousal > 0)) and valence > 0
        right["both"] += (good == (valence > 0)) and (loud == (arousal > 0))
    share = {name: count / len(PLANS) for name, count in right.items()}
    assert share["both"] > 0.85
    assert 0.35 < share["face"] < 0.65
    assert 0.35 < share["voice"] < 0.65
