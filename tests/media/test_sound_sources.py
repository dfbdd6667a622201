from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import sound_sources
from mmer_fairseq.media.medium import open_medium


@pytest.mark.parametrize(
    ("form", "dtype", "full"),
    [("u8", np.uint8, 128), ("s16", np.int16, 1 << 15), ("s32", np.int32, 1 << 31), ("flt", np.float32, 1)],
)
@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6)])
def test_every_sample_format_of_libav(form: str, dtype, full: int, planar: bool, layout: str, channels: int):
    wanted = np.random.default_rng(0).uniform(-0.9, 0.9, (channels, 50))
    stored = wanted * full + (128 if form == "u8" else 0)
    stored = (np.round(stored) if full > 1 else stored).astype(dtype)
    samples = stored if planar else stored.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), form + "p" * planar, layout)
    mono = sound_sources._mono(frame)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono, wanted.mean(axis=0), atol=0.005 if form == "u8" else 4e-5)


def test_a_change_of_rate_inside_a_track(tmp_path: Path, kit, monkeypatch: pytest.MonkeyPatch):
    path = kit.write_video(tmp_path / "a.mp4")
    with open_medium(path) as medium:
        frames = list(medium.decode("audio", 0.0))
        frames[5][2].sample_rate = 8000
        monkeypatch.setattr(medium, "decode", lambda *_: iter(frames))
        text = "found a change of the sampling rate from 16000 to 8000 Hz near"
        with pytest.raises(InputError, match=text):
            list(sound_sources.track_blocks(medium, None, None))


def test_a_track_that_ends_too_early(tmp_path: Path, kit, monkeypatch: pytest.MonkeyPatch):
    path = kit.write_video(tmp_path / "a.mp4")
    with open_medium(path) as medium:
        frames = list(medium.decode("audio", 0.0))
        monkeypatch.setattr(medium, "decode", lambda *_: iter(frames[:10]))
        with pytest.raises(
            InputError, match=r"expected 2\.00 s, as its header announces; found data for 0\.\d\d s"
        ):
            list(sound_sources.track_blocks(medium, None, None))


def test_long_files_come_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import soundfile

    path = tmp_path / "a.wav"
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (1000, 2))
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    monkeypatch.setattr(sound_sources, "_BLOCK", 300)
    blocks = list(sound_sources.file_blocks(path, str(path), None, None))
    assert [(rate, len(block)) for rate, block in blocks] == [(8000, 300)] * 3 + [(8000, 100)]
    np.testing.assert_allclose(
        np.concatenate([block for _, block in blocks]), samples.mean(axis=1), atol=1e-6
    )
