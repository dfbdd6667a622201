from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.sound import change_speed, load_sound, sound_seconds


def wave(seconds: float = 1.0, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Smooth noise below 1 kHz: every sample differs, and any rate can carry it."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    waves = [
        np.sin(2 * np.pi * f * time + p) for f, p in zip(rng.uniform(50, 1000, 12), rng.uniform(0, 6, 12))
    ]
    return np.sum(waves, axis=0) / 12


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_speed_changes_length_and_pitch_alike(speed: float):
    time = torch.arange(16000, dtype=torch.float32) / 16000
    changed = change_speed(torch.sin(2 * torch.pi * 400 * time), speed)
    assert changed.shape == (round(16000 / speed),)
    expected = torch.sin(2 * torch.pi * 400 * speed * time[: len(changed)])
    inside = slice(500, min(len(changed), len(time)) - 500)
    torch.testing.assert_close(changed[inside], expected[inside], atol=2e-3, rtol=0)


def test_speed_leaves_a_sample():
    assert change_speed(torch.ones(1), 2.0).shape == (1,)


@pytest.mark.parametrize(
    ("suffix", "subtype", "error"),
    [
        ("wav", "PCM_16", 4e-5),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "PCM_U8", 0.01),
        ("wav", "FLOAT", 1e-6),
        ("wav", "DOUBLE", 1e-6),
        ("wav", "ULAW", 0.02),
        ("flac", "PCM_16", 4e-5),
        ("ogg", "VORBIS", 0.05),
        ("aiff", "PCM_16", 4e-5),
        ("mp3", None, 0.1),
    ],
)
def test_every_kind_of_sound_file(tmp_path: Path, suffix: str, subtype, error: float):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, wave(), 16000, subtype=subtype)
    sound = load_sound(path)
    assert (sound.dtype, sound.shape) == (torch.float32, (16000,))
    assert np.abs(sound.numpy() - wave()).max() < error
    assert sound_seconds(path) == 1.0


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("wanted", [16000, 24000])
def test_any_rate_becomes_the_wanted_one(tmp_path: Path, rate: int, wanted: int):
    path = tmp_path / "a.wav"
    soundfile.write(path, wave(0.8, rate), rate, subtype="FLOAT")
    sound = load_sound(path, rate=wanted)
    assert len(sound) == round(0.8 * wanted)
    # At the borders a resampler does not know what would follow.
    inner = slice(wanted // 50, -wanted // 50)
    assert np.abs(sound.numpy() - wave(0.8, wanted))[inner].max() < 2e-3


def test_a_long_file_is_resampled_without_seams(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, wave(20.0, 44100), 44100, subtype="FLOAT")
    sound = load_sound(path)
    assert np.abs(sound.numpy() - wave(20.0, 16000))[400:-400].max() < 2e-3


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(tmp_path: Path, channels: int):
    path = tmp_path / "a.wav"
    voices = np.stack([wave(0.2, seed=seed) for seed in range(channels)], axis=1)
    soundfile.write(path, voices, 16000, subtype="FLOAT")
    np.testing.assert_allclose(load_sound(path).numpy(), voices.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize(
    ("start", "end"), [(0.25, 0.75), (None, 0.1), (0.9, None), (0.9, 1.2), (0.00003, 0.00007)]
)
def test_a_crop_is_that_part_of_the_whole(tmp_path: Path, suffix: str, start, end):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, wave(), 16000)
    whole = load_sound(path)
    first, last = round((start or 0) * 16000), round(min(end or 1.0, 1.0) * 16000)
    crop = load_sound(path, start=start, end=end, allow_silent=True)
    torch.testing.assert_close(crop, whole[first:last], atol=1e-6, rtol=0)


def test_a_crop_does_not_read_the_rest(tmp_path: Path, kit):
    path = tmp_path / "a.flac"
    soundfile.write(path, wave(8.0), 16000)
    wanted = load_sound(path, start=1.0, end=2.0)
    kit.spoil(path, 0.5, 0.9)
    torch.testing.assert_close(load_sound(path, start=1.0, end=2.0), wanted)
    with pytest.raises(InputError, match=r"truncated"):
        load_sound(path)


def test_samples_stay_in_range(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 1.5 * wave(rate=44100) / np.abs(wave(rate=44100)).max(), 44100, subtype="FLOAT")
    assert load_sound(path).abs().max() == 1.0


VIDEOS = {
    "aac.mp4": {},
    "surround.mov": {"layout": "5.1", "sound_rate": 48000, "sound": "pcm_s16le"},
    "stereo.mkv": {"layout": "stereo", "sound_rate": 44100},
    "opus.webm": {"codec": "libvpx-vp9", "sound": "libopus", "sound_rate": 48000},
    "mp3.avi": {"codec": "mpeg4", "sound": "mp3", "sound_rate": 22050},
    "pcm.mov": {"sound": "pcm_s16le", "sound_rate": 8000},
    "bytes.avi": {"codec": "mpeg4", "sound": "pcm_u8", "sound_rate": 8000},
    "only.m4a": {"frames": 0, "sound_seconds": 2.0},
    "raw.aac": {"frames": 0, "sound_seconds": 2.0},
}


@pytest.mark.parametrize("name", VIDEOS)
def test_the_sound_track_of_a_video(tmp_path: Path, kit, name: str):
    path = kit.write_video(tmp_path / name, **VIDEOS[name])
    sound = load_sound(path).numpy()
    assert len(sound) == pytest.approx(32000, abs=2600)
    assert sound_seconds(path) == pytest.approx(len(sound) / 16000, abs=0.08)
    inner = sound[4000:28000]
    spectrum = np.abs(np.fft.rfft(inner * np.hanning(len(inner))))
    assert np.argmax(spectrum) * 16000 / len(inner) == pytest.approx(440, abs=1)
    assert np.abs(inner).max() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", ["aac.mp4", "aac.mkv", "pcm.mov", "pieces.mp4"])
def test_a_crop_of_a_sound_track(tmp_path: Path, kit, name: str):
    pieces = {"options": {"movflags": "frag_keyframe+empty_moov"}} if name == "pieces.mp4" else {}
    path = kit.write_video(tmp_path / name, **VIDEOS.get(name, pieces))
    rate = VIDEOS.get(name, {}).get("sound_rate", 16000)
    whole = load_sound(path, rate=rate)
    for start, end in ((0.5, 1.5), (1.0, 1.01), (0.0, 0.4), (1.2, 1.9)):
        crop = load_sound(path, rate=rate, start=start, end=end)
        torch.testing.assert_close(crop, whole[round(start * rate) : round(end * rate)], atol=2e-3, rtol=0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_track_that_starts_late_keeps_its_place(tmp_path: Path, kit, suffix: str):
    path = kit.write_video(tmp_path / f"a{suffix}", frames=75, sound_offset=1.0, sound_seconds=2.0)
    sound = load_sound(path)
    assert sound[:14900].abs().max() == 0.0
    # AAC lets a tone ring a little before it sets in.
    assert sound[:15900].abs().max() < 0.05
    assert sound[16500:].abs().max() > 0.4
    onset = int((sound.abs() > 0.1).nonzero()[0])
    assert onset == pytest.approx(16000, abs=100)
    torch.testing.assert_close(load_sound(path, start=0.9, end=1.4), sound[14400:22400], atol=2e-3, rtol=0)
    with pytest.raises(InputError, match=r"found silence: all samples of 0\.50 s are equal"):
        load_sound(path, start=0.2, end=0.7)


def test_a_gap_in_a_track_stays_a_gap(tmp_path: Path, kit):
    import av

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        voice = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for first in range(0, 8000, 800):
            samples = (kit.tone(1.0, 16000)[None, first : first + 800] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts = 16000, first + (16000 if first >= 4000 else 0)
            container.mux(voice.encode(frame))
        container.mux(voice.encode())
    sound = load_sound(path)
    assert len(sound) == 24000
    assert sound[4000:20000].abs().max() == 0.0
    np.testing.assert_allclose(sound[20000:].numpy(), kit.tone(1.0, 16000)[4000:8000], atol=1e-4)


def test_the_stored_tensor_of_the_older_layout(tmp_path: Path):
    path = tmp_path / "a.pt"
    samples = torch.from_numpy(wave()).float()
    torch.save(samples[None], path)
    torch.testing.assert_close(load_sound(path), samples)
    torch.testing.assert_close(load_sound(path, start=0.5, end=0.6), samples[8000:9600])
    assert load_sound(path, rate=8000).shape == (8000,)
    assert sound_seconds(path) == 1.0
    torch.save((samples * 32767).short(), path)
    torch.testing.assert_close(load_sound(path), samples, atol=1e-4, rtol=0)


def test_what_is_no_stored_tensor(tmp_path: Path):
    path = tmp_path / "a.pt"
    values = {
        "a dict": {"a": 1},
        "a Tensor of shape [2, 3]": torch.ones(2, 3),
        "a Tensor of shape []": torch.tensor(1.0),
    }
    for found, value in values.items():
        torch.save(value, path)
        with pytest.raises(InputError) as error:
            load_sound(path)
        assert str(error.value) == (
            f"{path}: expected a tensor [samples] at 16000 Hz, written by torch.save; found {found}. "
            "Write the tensor again or name the sound file."
        )
    path.write_bytes(b"RIFF no tensor")
    with pytest.raises(InputError, match=r"written by torch.save; found bytes of another kind \("):
        load_sound(path)


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_silence_is_said_unless_allowed(tmp_path: Path, value: float):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(44100, value), 44100)
    with pytest.raises(InputError) as error:
        load_sound(path, where="train.tsv:4")
    assert str(error.value) == (
        f"train.tsv:4: {path}: expected sound; found silence: all samples of 1.00 s are equal. "
        "Name the right file, leave this cell of the corpus empty, or add --allow-silent."
    )
    assert load_sound(path, allow_silent=True).shape == (16000,)


@pytest.mark.parametrize(
    ("bad", "found", "remedy"),
    [
        (np.nan, "nan", "Convert the file again."),
        (np.inf, "inf", "Convert the file again."),
        (-np.inf, "-inf", "Convert the file again."),
        (20000.0, "20000", "Divide the samples by their largest possible value."),
    ],
)
@pytest.mark.parametrize("rate", [16000, 8000])
def test_samples_that_are_no_sound(tmp_path: Path, bad: float, found: str, remedy: str, rate: int):
    samples = wave(rate=rate)
    samples[rate // 2] = bad
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    with pytest.raises(InputError) as error:
        load_sound(path)
    assert str(error.value) == (
        f"{path}: expected finite samples in [-1, 1]; found {found} at 0.500 s of the sound. {remedy}"
    )


def test_no_samples(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16000)
    text = "expected at least one sample; found none. Correct the times of the clip"
    with pytest.raises(InputError) as error:
        load_sound(path)
    assert str(error.value) == f"{path}: {text}, or leave this cell of the corpus empty."
    soundfile.write(path, wave(), 16000)
    with pytest.raises(InputError, match="at least one sample"):
        load_sound(path, start=0.5, end=0.50001)


@pytest.mark.parametrize("crop", [{"start": 1.0}, {"end": 1.3}, {"start": 0.5, "end": 0.2}, {"start": -0.5}])
def test_a_crop_outside(tmp_path: Path, crop):
    path = tmp_path / "a.wav"
    soundfile.write(path, wave(), 16000)
    with pytest.raises(InputError, match="start"):
        load_sound(path, **crop)


def test_an_impossible_rate(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"expected a rate above 0 Hz; found 0\. Give rate a positive number\."
    ):
        load_sound(tmp_path / "a.wav", rate=0)


@pytest.mark.parametrize("read", [load_sound, sound_seconds])
def test_faults_that_headers_show(tmp_path: Path, kit, read):
    blind = kit.write_video(tmp_path / "blind.mp4", sound=None)
    text = tmp_path / "text.wav"
    text.write_text("hello")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x10\x00\x00\x00WAVEfmt \x00\x00\x00\x00data\x00\x00\x00\x00")
    short = tmp_path / "short.wav"
    soundfile.write(short, wave(), 16000)
    cases = {
        tmp_path / "none.wav": "expected a sound or video file; found no such file",
        text: r"found text \(by its first bytes\)\. The file is wrongly named",
        blind: "expected a file with a sound track; found only picture",
        broken: "expected a sound file that libsndfile can read; found bytes it cannot: '",
        kit.cut(short, 0.5): r"as its header announces; found \d+ bytes \(truncated\)",
    }
    for path, message in cases.items():
        with pytest.raises(InputError, match=message) as error:
            read(path, where="train.tsv:9")
        assert str(error.value).startswith(f"train.tsv:9: {path}: ")


def test_a_flac_that_ends_before_its_header_says(tmp_path: Path, kit):
    path = tmp_path / "a.flac"
    soundfile.write(path, wave(4.0), 16000)
    kit.cut(path, 0.5)
    with pytest.raises(InputError) as error:
        load_sound(path)
    assert str(error.value).startswith(f"{path}: expected 4.00 s, as its header announces; found data ")
    assert str(error.value).endswith("Copy, download or record the file again.")


def test_a_header_from_a_pipe(tmp_path: Path):
    path = tmp_path / "a.wav"
    soundfile.write(path, wave(), 16000)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert load_sound(path).shape == (16000,)
    assert sound_seconds(path) == 1.0
