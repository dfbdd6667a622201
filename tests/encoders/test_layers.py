"""``PATH@N``: the first N transformer layers, against models of fairseq that are cut by hand."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.wav2vec2 import split_layers
from mmer_fairseq.errors import InputError


def build(path, kind="wav2vec2"):
    return build_encoder(StreamSpec("audio", "samples", f"{kind.split('-')[0]}:{path}", rate=16000.0), 0)


@pytest.mark.parametrize("kind", ["wav2vec2", "wav2vec2-layer", "hubert"])
def test_first_layer_equals_a_model_cut_by_hand(tiny, kind):
    encoder = build(f"{tiny(kind)}@1", kind)
    model = tiny.models[kind]
    wave = torch.randn(1, 1700) * 0.2
    prepared = F.layer_norm(wave, wave.shape[-1:]) if kind == "wav2vec2-layer" else wave
    layers = model.encoder.layers
    try:
        model.encoder.layers = layers[:1]  # its last norm stays where it is
        with torch.no_grad():
            expected = model.extract_features(prepared, padding_mask=None)
    finally:
        model.encoder.layers = layers
    expected = expected[0] if kind == "hubert" else expected["x"]
    y, _ = encoder(wave, torch.tensor([1700]))
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)
    whole, _ = build(tiny(kind), kind)(wave, torch.tensor([1700]))
    assert (whole - y).abs().max() > 0.1
    assert len(encoder.encoder.layers) == 1


def test_huggingface_folder_is_cut_the_same_way(tiny, hf, tmp_path):
    tiny("wav2vec2-layer")
    state = hf.state(tiny.models["wav2vec2-layer"], layer_norm=True)
    folder = hf.write(tmp_path / "hf", state, hf.config(tiny.settings["wav2vec2-layer"]))
    cut, own = build(f"{folder}@1").state_dict(), build(f"{tiny('wav2vec2-layer')}@1").state_dict()
    assert cut.keys() == own.keys()
    assert all(torch.equal(tensor, cut[name]) for name, tensor in own.items())
    assert build(f"{folder}@1").fingerprint == build(folder).fingerprint + "@1"


def test_fingerprint_tells_the_layers(tiny):
    path = tiny("wav2vec2")
    whole = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert build(path).fingerprint == whole
    assert build(f"{path}@1").fingerprint == f"{whole}@1"
    assert build(f"{path}@2").fingerprint == whole  # both layers: the same vectors


@pytest.mark.parametrize("count", ["0", "3", "-1", "+24"])
def test_numbers_out_of_range(tiny, count):
    path = tiny("wav2vec2")
    with pytest.raises(InputError) as error:
        build(f"{path}@{count}")
    assert f"{path}@{int(count)}: expected a number of layers from 1 to 2, which the checkpoint has; " in str(
        error.value
    )
    assert f"found {int(count)}. Write one of these behind the '@'" in str(error.value)


def test_paths_that_contain_the_sign(tiny, tmp_path):
    folder = tmp_path / "me@home"
    folder.mkdir()
    for name in ("model.pt", "model.pt@1", "best@2"):
        shutil.copy(tiny("wav2vec2"), folder / name)
    for name, layers in {
        "model.pt": 2,
        "model.pt@1": 2,
        "model.pt@1@1": 1,
        "best@2": 2,
        "best@2@1": 1,
    }.items():
        assert len(build(folder / name).encoder.layers) == layers, name
    assert split_layers("a@b/c.pt") == ("a@b/c.pt", None)
    assert split_layers("c.pt@") == ("c.pt@", None)
    assert split_layers("c.pt@12") == ("c.pt", 12)
    with pytest.raises(InputError, match=r"gone\.pt: expected a wav2vec 2\.0 checkpoint .* no such file"):
        build(folder / "gone.pt@1")
