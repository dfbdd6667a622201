"""Where somebody speaks, by the level of the sound."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.predict.speech import choose, speech

SPOKEN = [(2.0, 4.0), (6.5, 7.5), (12.0, 20.0)]


def blocks(sound, rate=16000, size=5000):
    return ((rate, sound[at : at + size]) for at in range(0, len(sound), size))


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_speech_is_found_at_any_rate_and_level(bursts, rate, gain):
    found = list(speech(blocks(bursts(25.0, SPOKEN, rate) * np.float32(gain), rate), 30.0))
    assert len(found) == len(SPOKEN)
    assert np.abs(np.array(found) - np.array(SPOKEN)).max() < 0.4


def test_the_size_of_blocks_does_not_matter(bursts):
    sound = bursts(25.0, SPOKEN)
    assert list(speech(blocks(sound, size=999), 30.0)) == list(speech(blocks(sound, size=100000), 30.0))


def test_long_speech_is_cut_at_a_quiet_moment(bursts):
    sound = bursts(40.0, [(1.0, 39.0)])
    sound[round(16000 * 8.3) : round(16000 * 8.5)] *= 0.01  # too short for a pause
    found = list(speech(blocks(sound), 10.0))
    assert all(end - start <= 10.0 for start, end in found)
    assert all(a[1] <= b[0] for a, b in zip(found, found[1:]))
    assert 8.2 < found[0][1] < 8.6
    assert sum(end - start for start, end in found) > 37


def test_silence_and_noise(bursts):
    assert list(speech(blocks(np.zeros(160000, dtype="f4")), 30.0)) == []
    assert list(speech(blocks(bursts(10.0, []) * 0.1), 30.0)) == []
    assert list(speech(blocks(np.zeros(0, dtype="f4")), 30.0)) == []


def test_nothing_recorded_says_nothing_of_the_noise(bursts):
    sound = np.concatenate([bursts(10.0, [(4.0, 6.0)]), np.zeros(160000, dtype="f4")])
    ((start, end),) = speech(blocks(sound), 30.0)
    assert 3.6 < start < 4.2
    assert 5.8 < end < 6.4


def test_segments_come_before_the_sound_ends(bursts):
    read = []

    def counted():
        for rate, block in blocks(bursts(120.0, [(1.0, 3.0), (100.0, 103.0)])):
            read.append(len(block) / rate)
            yield rate, block

    next(iter(speech(counted(), 30.0)))
    assert sum(read) < 15


def test_detectors():
    assert choose("energy") == "energy"
    assert choose("auto") in ("energy", "webrtc")
    with pytest.raises(InputError) as error:
        choose("ears")
    assert str(error.value) == (
        "--speech: expected one of auto, energy, webrtc; found 'ears'. Write one of them."
    )


def test_webrtc_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "webrtcvad", None)
    assert choose("auto") == "energy"
    with pytest.raises(
        InputError, match=r"Install it: pip install 'mmer_fairseq\[vad\]', or leave the flag out"
    ):
        choose("webrtc")
