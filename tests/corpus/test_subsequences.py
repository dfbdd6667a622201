"""Sub-sequences of real media: which pictures, samples and values belong to a step of a trace."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus import subsequences as room
from mmer_fairseq.corpus.streams import RawOptions
from mmer_fairseq.corpus.subsequences import Stretch, SubsequenceReader, Subsequences

_SPEC = importlib.util.spec_from_file_location(
    "media_conftest", Path(__file__).resolve().parents[1] / "media" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
kit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(kit)

SUB = Subsequences(length=6, dilation=2)


def clip(start=None, end=None, **media) -> Clip:
    paths = {modality: str(path) for modality, path in media.items()}
    return Clip("c", paths, False, start, end, "", "", "", "trace.npy", "train.tsv:2", "train")


def reader(modality: str, chunk: int, **options) -> SubsequenceReader:
    return SubsequenceReader(modality, RawOptions(frame_size=16, **options), SUB, chunk)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return kit.write_video(tmp_path_factory.mktemp("film") / "film.mp4", frames=50, fps=25, sound=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Pictures 1, 2, 4, 5, …, 20: frame 3 has no face."""
    path = tmp_path_factory.mktemp("faces")
    for k in range(20):
        if k != 2:
            Image.fromarray(np.full((20, 20, 3), 20 + 4 * k, np.uint8)).save(path / f"{k + 1:05d}.png")
    return path


@pytest.mark.parametrize("around", [None, (0, 49)])
def test_pictures_are_every_other_one_back_from_the_target(film, around):
    pictures = reader("video", 3).read(clip(video=film), Stretch(np.array([9, 30]), 25.0, around))
    assert pictures.shape == (6, 3, 16, 16)
    assert kit.pictures_in(pictures) == [5, 7, 9, 26, 28, 30]


def test_steps_of_another_rate_are_shown_by_the_picture_in_their_middle(film):
    pictures = reader("video", 3).read(clip(video=film), Stretch(np.array([10]), 10.0))
    assert kit.pictures_in(pictures) == [16, 21, 26]  # 0.65 s, 0.85 s, 1.05 s at 25 Hz


def test_first_and_last_picture_stand_in_beyond_the_ends(film):
    pictures = reader("video", 3).read(clip(video=film), Stretch(np.array([0, 48, 60]), 25.0))
    assert kit.pictures_in(pictures) == [0, 0, 0, 44, 46, 48, 49, 49, 49]


def test_times_of_a_crop_count_from_its_start(film):
    pictures = reader("video", 3).read(clip(0.4, 1.2, video=film), Stretch(np.array([0, 19, 30]), 25.0))
    assert kit.pictures_in(pictures) == [10, 10, 10, 25, 27, 29, 29, 29, 29]


@pytest.mark.parametrize("around", [None, (0, 19)])
def test_numbered_pictures_go_by_their_number_and_a_missing_face_by_the_one_before(folder, around):
    read = reader("video", 3, picture_rate=25.0).read
    assert kit.pictures_in(read(clip(video=folder), Stretch(np.array([6, 19, 25]), 25.0, around))) == [
        1, 4, 6, 15, 17, 19, 19, 19, 19,
    ]  # fmt: skip


def test_a_group_of_windows_is_decoded_once(film, monkeypatch):
    calls = []
    load = room.load_frames
    monkeypatch.setattr(room, "load_frames", lambda *a, **k: calls.append(k) or load(*a, **k))
    read, wanted = reader("video", 3), clip(video=film)
    first = [
        kit.pictures_in(read.read(wanted, Stretch(np.array([t, t + 12]), 25.0, (12, 35))))
        for t in range(12, 18)
    ]
    assert len(calls) == 1
    assert [one[2] for one in first] == list(range(12, 18))
    read.read(wanted, Stretch(np.array([36]), 25.0, (36, 49)))
    assert len(calls) == 2


def test_sound_ends_with_the_target_and_is_silent_outside_the_recording(tmp_path):
    ramp = np.arange(1, 1001, dtype=np.float32) / 2000
    soundfile.write(tmp_path / "a.wav", ramp, 1000, subtype="FLOAT")
    chunk = SUB.chunk("samples", 25.0, 1000.0)
    assert chunk == 240
    for around in (None, (0, 24)):
        read = reader("audio", chunk, sample_rate=1000).read
        sound = read(clip(audio=tmp_path / "a.wav"), Stretch(np.array([2, 10, 26]), 25.0, around))
        sound = (sound.view(3, chunk) * 2000).round()
        assert sound[0].tolist() == [0] * 120 + list(range(1, 121))
        assert sound[1].tolist() == list(range(201, 441))
        assert sound[2].tolist() == list(range(841, 1001)) + [0] * 80
    beyond = read(clip(audio=tmp_path / "a.wav"), Stretch(np.array([90]), 25.0))
    assert beyond.shape == (240,)
    assert not beyond.any()


def test_signals_keep_their_channels_and_take_the_stated_rate(tmp_path):
    values = np.stack([np.arange(100.0), np.ones(100)], axis=1)
    np.save(tmp_path / "a.npy", values)
    read = reader("physio", 12, physio_rate=50.0, physio_to_rate=50.0).read
    signal = read(clip(physio=tmp_path / "a.npy"), Stretch(np.array([5, 11]), 25.0)).view(2, 12, 2)
    assert signal[0, :, 0].tolist() == list(range(12))
    assert signal[1, :, 0].tolist() == list(range(12, 24))
    slower = reader("physio", 6, physio_rate=50.0, physio_to_rate=25.0).read
    assert slower(clip(physio=tmp_path / "a.npy"), Stretch(np.array([5]), 25.0)).shape == (6, 2)
    assert not read(clip(physio=tmp_path / "a.npy"), Stretch(np.array([500]), 25.0)).any()


@pytest.mark.parametrize("around", [None, (8, 30)])
@pytest.mark.parametrize("trace_rate", [20.0, 10.0, 5.0])
def test_a_clip_of_another_rate_has_sound_as_long_as_the_others(tmp_path, trace_rate, around):
    ramp = np.arange(1, 6001, dtype=np.float32) / 12000
    soundfile.write(tmp_path / "a.wav", ramp, 1000, subtype="FLOAT")
    chunk = Subsequences(4, 1).chunk("samples", 10.0, 1000.0)
    read = SubsequenceReader("audio", RawOptions(sample_rate=1000), Subsequences(4, 1), chunk).read
    targets = np.array([10, 14, 18])
    sound = read(clip(audio=tmp_path / "a.wav"), Stretch(targets, trace_rate, around)).view(3, chunk)
    for row, target in enumerate(targets):
        end = round((target + 1) / trace_rate * 1000)
        assert (sound[row] * 12000).round().tolist() == list(range(end - chunk + 1, end + 1))


def test_resampled_sound_is_the_same_whichever_stretch_it_is_read_with(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * 44100).astype("f4")
    soundfile.write(tmp_path / "a.wav", noise, 44100, subtype="FLOAT")
    targets = np.array([33, 39, 45])
    for start in (None, 0.217):
        one, two = (
            reader("audio", 3840, sample_rate=16000).read(
                clip(start, audio=tmp_path / "a.wav"), Stretch(targets, 25.0, around)
            )
            for around in (None, (20, 49))
        )
        np.testing.assert_allclose(one, two, atol=2e-4)
        assert float(one.abs().mean()) > 0.03


def test_what_lies_before_a_clip_in_its_recording_is_not_heard(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(3000, 0.5, np.float32), 1000, subtype="FLOAT")
    sound = reader("audio", 240, sample_rate=1000).read(
        clip(1.3, 2.0, audio=tmp_path / "a.wav"), Stretch(np.array([2, 18]), 25.0)
    )
    first, last = sound.view(2, 240)
    assert first.tolist() == [0.0] * 120 + [0.5] * 120
    assert last.tolist() == [0.5] * 180 + [0.0] * 60
