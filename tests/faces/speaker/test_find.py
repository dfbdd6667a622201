"""Whose mouth moves with the voice, on films composed by chance."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.faces.blobs import BlobDetector
from mmer_fairseq.faces.speaker.find import find_speaker

SMALL = (96, 176)


def test_the_speaker_is_found_and_doubt_is_told(films):
    """40 films of two to four people, with everything that deceives, some too short to tell."""
    results = []
    for seed in range(40):
        short = seed % 10 == 9
        scene = films.compose(
            seed, size=SMALL, seconds=0.5 if short else 2.4, cuts=0 if seed % 4 else 1, hard=0.8
        )
        found = find_speaker(
            scene.frames, scene.times, wave=scene.wave, rate=films.rate, boxes=films.given(scene)
        )
        results.append((short, films.right(scene, found), found.unsure))
    long = [good for short, good, _ in results if not short]
    assert np.mean(long) >= 0.95
    wrong = [unsure for _, good, unsure in results if not good]
    sure = [unsure for _, good, unsure in results if good]
    assert wrong, "half a second is too short for all of them to be right"
    assert np.mean(wrong) > np.mean(sure)


def test_drawn_faces_are_found_without_boxes(films):
    scene = films.compose(3, people=3, cuts=1, seconds=2.4, off_screen=False, size=(150, 260))
    detect = BlobDetector(16)
    found = find_speaker(scene.frames, scene.times, wave=scene.wave, rate=films.rate, detector=detect)
    assert films.right(scene, found)
    assert not found.unsure
    assert len(found.tracks) == 2
    assert found.people[found.identity] == max(found.people.values())


def test_a_voice_from_outside(films):
    scene = films.compose(8, people=2, cuts=0, seconds=3.0, off_screen=True, size=SMALL)
    found = find_speaker(
        scene.frames, scene.times, wave=scene.wave, rate=films.rate, boxes=films.given(scene)
    )
    assert (found.identity, found.unsure, found.reason) == (0, True, "off-screen")
    assert np.isnan(found.boxes).all()
    assert np.isfinite(found.guess).all()


@pytest.mark.parametrize(
    ("wave", "reason"),
    [(None, "no sound"), (np.zeros(48000, np.float32), "no voice")],
    ids=["none", "silent"],
)
def test_without_a_voice_the_liveliest_mouth_is_guessed(films, wave, reason):
    scene = films.compose(5, people=2, cuts=0, seconds=3.0, off_screen=False, size=SMALL, hard=0.3)
    found = find_speaker(scene.frames, scene.times, wave=wave, boxes=films.given(scene))
    assert (found.unsure, found.reason) == (True, reason)
    assert found.confidence < 0.8
    assert np.isfinite(found.boxes).all()


def test_nobody_in_the_picture():
    frames, times = np.full((30, 40, 60, 3), 90, np.uint8), np.arange(30) / 25
    found = find_speaker(frames, times, wave=np.ones(16000, np.float32), boxes={})
    assert (found.identity, found.unsure, found.reason, found.confidence) == (0, True, "no face", 0.0)


def test_what_cannot_be_asked():
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    with pytest.raises(ValueError, match="3 pictures, 2 times"):
        find_speaker(frames, np.arange(2) / 25, wave=None, boxes={})
    with pytest.raises(ValueError, match="neither boxes nor a detector"):
        find_speaker(frames, np.arange(3) / 25, wave=None)


def test_other_ways(films):
    scene = films.compose(12, people=2, cuts=0, seconds=4.0, off_screen=False, size=SMALL, hard=0.3)
    for changes in ({"lips": "motion"}, {"tracker": "greedy"}, {"cluster": "none"}):
        found = find_speaker(
            scene.frames, scene.times, wave=scene.wave, rate=films.rate, boxes=films.given(scene), **changes
        )
        assert films.right(scene, found), changes
