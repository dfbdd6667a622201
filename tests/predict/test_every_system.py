"""A checkpoint of every system on every kind of file."""

from __future__ import annotations

import math

import numpy as np
import pytest
import soundfile

from mmer_fairseq import load
from mmer_fairseq.errors import InputError


@pytest.fixture
def predictor(system):
    return load(system[1])


def check(predictor, segments) -> None:
    """As many as there should be, with a number for each label."""
    assert segments
    for segment in segments:
        assert set(segment.scores) == set(predictor.labels.names)
        assert all(math.isfinite(value) for value in segment.scores.values())
        if predictor.windows is not None:
            assert np.isfinite(segment.trace).all()


def missing(segments) -> set[str]:
    return {modality for segment in segments for modality in segment.missing}


def test_a_video_with_sound(predictor, film, bursts, tmp_path):
    segments = predictor(film(tmp_path / "a.mp4", 4, bursts(4.0, [(1.0, 3.0)])))
    check(predictor, segments)
    assert missing(segments) == {"text"} & set(predictor.streams)


def test_a_sound(predictor, bursts, tmp_path):
    soundfile.write(tmp_path / "a.wav", bursts(4.0, [(1.0, 3.0)]), 16000)
    segments = predictor(tmp_path / "a.wav")
    check(predictor, segments)
    assert missing(segments) == {"text", "video"} & set(predictor.streams)


def test_a_video_whose_sound_is_silence(predictor, film, tmp_path):
    segments = predictor(film(tmp_path / "a.mp4", 4, np.zeros(64000, "f4")))
    check(predictor, segments)
    taken = (
        {"text"} if predictor.windows else {"text", "audio"}
    )  # traces have silent stretches in training, too
    assert missing(segments) == taken & set(predictor.streams)
    assert any("audio" in note for segment in segments for note in segment.notes)


def test_a_video_without_sound(predictor, film, tmp_path):
    segments = predictor(film(tmp_path / "a.mp4", 4))
    check(predictor, segments)
    assert missing(segments) == {"text", "audio"} & set(predictor.streams)


def test_a_text(predictor, tmp_path):
    (tmp_path / "a.txt").write_text("the day is wonderful\nthat is unfair\n")
    if "text" in predictor.streams and predictor.windows is None:
        segments = predictor(tmp_path / "a.txt")
        check(predictor, segments)
        assert [segment.text for segment in segments] == ["the day is wonderful", "that is unfair"]
        return
    with pytest.raises(InputError) as error:
        predictor(tmp_path / "a.txt")
    assert str(error.value).startswith(f"{tmp_path}/a.txt: expected ")


def test_a_broken_file(predictor, film, tmp_path):
    content = film(tmp_path / "a.mp4", 4).read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError) as error:
        predictor(tmp_path / "a.mp4")
    assert str(error.value).startswith(f"{tmp_path}/a.mp4: expected ")
    assert "truncated" in str(error.value)
