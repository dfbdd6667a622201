"""Noise, blur and covered parts against their definitions and SciPy."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import soundfile
import torch
from scipy.ndimage import gaussian_filter

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.noise import (
    GREY,
    add_noise,
    blur,
    generator_of,
    is_silent,
    load_recording,
    occlude,
)

WAVE = 0.1 * torch.sin(torch.arange(16000) * 0.05)
RECORDING = torch.cat([torch.zeros(9000), torch.randn(1000, generator=generator_of("recording"))])


def snr(wave: torch.Tensor, noisy: torch.Tensor) -> float:
    noise = noisy.double() - wave.double()
    return 10 * math.log10(float(wave.double().square().sum() / noise.square().sum()))


@pytest.mark.parametrize("level", [-20, 0, 5, 37.5, 60])
@pytest.mark.parametrize("recording", [None, RECORDING], ids=["white", "recorded"])
def test_the_ratio_is_met(level, recording):
    assert snr(WAVE, add_noise(WAVE, level, generator_of(1), recording)) == pytest.approx(level, abs=0.01)


def test_noise_depends_on_the_names_alone():
    torch.manual_seed(0)
    one = add_noise(WAVE, 10, generator_of(1, "clip"))
    torch.manual_seed(1)
    assert torch.equal(one, add_noise(WAVE, 10, generator_of(1, "clip")))
    for names in ((1, "clip2"), (2, "clip"), (1, "cl", "ip")):
        assert not torch.equal(one, add_noise(WAVE, 10, generator_of(*names)))


def test_the_same_noise_at_every_level():
    quiet, loud = (add_noise(WAVE, level, generator_of("c")) - WAVE for level in (20, 0))
    assert torch.allclose(10 * quiet, loud, atol=1e-5)


def test_white_noise_is_white():
    noise = (add_noise(WAVE, 0, generator_of("c")) - WAVE).numpy()
    spectrum = np.abs(np.fft.rfft(noise)[1:8001]).reshape(8, 1000) ** 2
    assert spectrum.mean(axis=1) / spectrum.mean() == pytest.approx(np.ones(8), abs=0.15)


def test_a_recording_is_looped_from_where_the_generator_says():
    noise = add_noise(WAVE, 0, generator_of("c"), RECORDING) - WAVE
    assert torch.allclose(noise[:6000], noise[10000:], atol=1e-6)
    start = int(torch.randint(10000, (1,), generator=generator_of("c")))
    part = RECORDING.repeat(3)[start : start + 16000]
    scale = float(noise.norm() / part.norm())
    assert torch.allclose(noise, scale * part, atol=1e-5)


def test_a_pause_of_the_recording_is_not_taken_for_noise():
    short = WAVE[:100]
    for name in range(20):  # nine of ten begin in the pause
        assert snr(short, add_noise(short, 5, generator_of(name), RECORDING)) == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("wave", [torch.zeros(50), torch.full((50,), 0.25), torch.zeros(0)])
def test_silence_stays_silent(wave):
    assert is_silent(wave)
    assert torch.equal(add_noise(wave, 0, generator_of("c")), wave)


def test_recordings_are_read_at_the_rate_around_zero(tmp_path):
    file = tmp_path / "noise.wav"
    soundfile.write(file, 0.2 + 0.1 * np.random.default_rng(0).normal(size=8000), 8000)
    sound = load_recording(file, rate=16000, where="--noise")
    assert len(sound) == 16000
    assert float(sound.mean()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_a_silent_recording_is_refused(tmp_path, rate):
    file = tmp_path / "noise.wav"
    soundfile.write(file, np.full(rate // 2, 0.25), rate)
    with pytest.raises(InputError) as error:
        load_recording(file, rate=16000, where="--noise")
    assert str(error.value) == (
        f"--noise: {file}: expected a recording of noise; found silence: all samples of 0.50 s are equal. "
        "Name another file, or leave out --noise for white noise."
    )


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"--noise: {tmp_path / 'no.wav'}: expected ")):
        load_recording(tmp_path / "no.wav", rate=16000, where="--noise")


@pytest.mark.parametrize("sigma", [0.3, 1, 4, 30])
def test_blur_is_that_of_scipy(sigma):
    frames = torch.rand(2, 3, 20, 33, generator=generator_of("frames"))
    wanted = gaussian_filter(frames.double().numpy(), sigma, mode="nearest", axes=(2, 3))
    assert blur(frames, sigma).numpy() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.25, 0.5, 0.9, 1])
@pytest.mark.parametrize("size", [(64, 64), (48, 96)])
def test_the_covered_share_is_met(share, size):
    frames = torch.rand(3, 3, *size, generator=generator_of("frames")) / 3
    for clip in range(20):
        covered = occlude(frames, share, generator_of(clip))
        grey = covered == GREY
        assert torch.equal(covered[~grey], frames[~grey])
        assert torch.equal(grey, grey[:1, :1].expand_as(grey))  # all frames and colours alike
        assert abs(float(grey.float().mean()) - share) <= 0.5 / min(size)
        inside = grey[0, 0].nonzero()
        low, high = inside.min(dim=0).values, inside.max(dim=0).values
        assert int((high - low + 1).prod()) == len(inside)  # a rectangle


def test_covering_is_deterministic_and_differs_between_clips():
    frames = torch.zeros(1, 3, 64, 64)
    one = occlude(frames, 0.25, generator_of("a"))
    assert torch.equal(one, occlude(frames, 0.25, generator_of("a")))
    assert not torch.equal(one, occlude(frames, 0.25, generator_of("b")))
    assert float(frames.max()) == 0
