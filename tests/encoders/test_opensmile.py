"""openSMILE's descriptors: the contract with a stand-in for the package, and the package itself where it is."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError

LENGTHS = torch.tensor([16000, 0, 3, 959, 960, 1119, 1120])


def build(text="opensmile", **changes):
    return build_encoder(StreamSpec("audio", "samples", text, **{"rate": 16000.0, **changes}), 0)


class Smile:
    """Frame t holds t and the loudest sample; the changes hold 1000 + t and go on for two frames."""

    extra = 0

    def __init__(self, feature_set, feature_level):
        self.changes = feature_level == "changes"
        self.width = {"compare": 65, "egemaps": 25}[feature_set]

    def process_signal(self, wave, rate):
        assert (wave.dtype, wave.ndim, rate) == (np.float32, 1, 16000)
        assert len(wave) >= 960
        assert wave.min() >= -1
        assert wave.max() * 32768 <= 32767
        steps = len(wave) // 160 - 4 + self.extra + (2 if self.changes else 0)
        frames = np.arange(steps)[:, None] + np.full((1, self.width), 1000.0 * self.changes)
        frames[:, -1] = abs(wave).max()
        return SimpleNamespace(to_numpy=lambda: frames.astype(np.float32))


@pytest.fixture
def package(monkeypatch):
    """The stand-in, as if it were installed."""
    module = SimpleNamespace(
        __version__="2.6.0",
        Smile=Smile,
        FeatureSet=SimpleNamespace(ComParE_2016="compare", eGeMAPSv02="egemaps"),
        FeatureLevel=SimpleNamespace(LowLevelDescriptors="values", LowLevelDescriptors_Deltas="changes"),
    )
    monkeypatch.setitem(sys.modules, "opensmile", module)
    return module


def check_contract(encoder, dim):
    assert encoder.frozen
    assert (encoder.dim, encoder.stride) == (dim, 160)
    wave = torch.randn(7, 17000, requires_grad=True)
    y, out = encoder(wave, LENGTHS)
    assert out.tolist() == [96, 0, 2, 2, 2, 2, 3] == encoder.output_lengths(LENGTHS).tolist()
    assert y.shape == (7, 96, dim)
    assert (y.dtype, y.grad_fn) == (torch.float32, None)
    assert y.isfinite().all()
    for index, length in enumerate(LENGTHS.tolist()):
        assert not y[index, out[index] :].any()
        if length:
            alone, _ = encoder(wave[index : index + 1, :length], LENGTHS[index : index + 1])
            assert torch.equal(alone[0], y[index, : out[index]])
    assert not list(encoder.parameters())
    nothing, none = encoder(torch.zeros(2, 1), torch.tensor([0, 0]))
    assert (nothing.shape, none.tolist()) == ((2, 1, dim), [0, 0])


@pytest.mark.parametrize(("text", "dim"), [("opensmile", 130), ("opensmile:eGeMAPSv02", 25)])
def test_contract(package, text, dim):
    check_contract(build(text), dim)


def test_changes_belong_to_their_frames(package):
    y, _ = build()(torch.full((1, 1600), 2.0), torch.tensor([1600]))
    assert y[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert y[0, :, 65].tolist() == [1000, 1001, 1002, 1003, 1004, 1005]
    assert y[0, 0, 64] == y[0, 0, 129] == 1.0 - 2.0**-15  # clipped, not wrapped around


def test_fingerprint_tells_set_and_version(package):
    assert (
        build().fingerprint == build("opensmile:ComParE_2016").fingerprint == "opensmile 2.6.0 ComParE_2016"
    )
    assert build("opensmile:eGeMAPSv02").fingerprint == "opensmile 2.6.0 eGeMAPSv02"


def test_what_is_refused(package, monkeypatch):
    with pytest.raises(
        InputError, match=r"a feature set, one of ComParE_2016, .*; found 'IS09'\. Write 'opens"
    ):
        build("opensmile:IS09")
    with pytest.raises(InputError, match=r"a sampling rate .* of 16000, which 'opensmile' needs; found 8000"):
        build(rate=8000.0)
    monkeypatch.setattr(Smile, "extra", -1)
    with pytest.raises(
        InputError,
        match=r"clip of 1600 samples: expected 6 frames of 130 descriptors; found \(5, 65\) and \(7",
    ):
        build()(torch.zeros(1, 1600), torch.tensor([1600]))


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(
        InputError,
        match=r"expected the package opensmile; found none .*\. Install it: pip install 'mmer_fairseq\[opensmile\]'\.",
    ):
        build()


@pytest.mark.parametrize(
    ("text", "dim"), [("opensmile", 130), ("opensmile:eGeMAPSv02", 25), ("opensmile:GeMAPSv01b", 18)]
)
def test_real_package(text, dim):
    pytest.importorskip("opensmile")
    check_contract(build(text), dim)


def test_real_changes_are_those_of_the_values():
    """openSMILE's regression over two frames on either side."""
    pytest.importorskip("opensmile")
    time = torch.arange(16000) / 16000
    wave = 0.3 * torch.sin(940 * time + 380 * time**2) * (1 + 0.5 * torch.sin(9 * time)) + 0.01 * torch.randn(
        16000
    )
    y, _ = build()(wave[None], torch.tensor([16000]))
    x, changes = y[0, :, 4:65], y[0, :, 69:]  # pitch and voice quality are zero without voice, and cut there
    expected = (x[3:-1] - x[1:-3] + 2 * (x[4:] - x[:-4])) / 10
    scale = expected.abs().mean(0)
    assert ((expected - changes[2:-2]).abs().mean(0) < 0.01 * scale).float().mean() > 0.9
