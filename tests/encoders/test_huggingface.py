"""wav2vec 2.0 under Hugging Face's names against fairseq's own forward of the same weights."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError

KINDS = ["wav2vec2", "wav2vec2-layer"]


def build(path):
    return build_encoder(StreamSpec("audio", "samples", f"wav2vec2:{path}", rate=16000.0), 0)


def fault(path) -> str:
    with pytest.raises(InputError) as error:
        build(path)
    return str(error.value)


def output_of(model, wave):
    """What fairseq computes for one unpadded clip that is prepared already."""
    with torch.no_grad():
        return model.extract_features(wave, padding_mask=None)["x"]


@pytest.fixture
def folder_of(tiny, hf, tmp_path):
    """Makes ``folder_of(kind, name)``: the tiny model of that kind as a folder of Hugging Face."""

    def make(kind, name="hf", *, prefix="", heads=(), newer=True, binary=False, change=(), **files) -> Path:
        tiny(kind)
        state = hf.state(tiny.models[kind], layer_norm=kind == "wav2vec2-layer", newer=newer)
        state = {prefix + name: tensor for name, tensor in state.items()}
        state.update({name: torch.zeros(3) for name in heads})
        config = {**hf.config(tiny.settings[kind]), **dict(change)}
        return hf.write(tmp_path / name, state, config, binary=binary, **files)

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("newer", [True, False])
def test_folder_equals_fairseq(folder_of, tiny, hf, kind, newer):
    encoder = build(folder_of(kind, newer=newer, binary=not newer))
    wave = torch.randn(1, 2300) * 0.01 + 0.004  # so quiet that the 1e-5 of fairseq would show
    y, lengths = encoder(wave, torch.tensor([2300]))
    prepared = hf.normalised(wave) if kind == "wav2vec2-layer" else wave
    expected = output_of(tiny.models[kind], prepared)
    assert lengths.tolist() == [expected.size(1)]
    assert expected.std() > 0.05
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)
    own = build(tiny(kind)).state_dict()
    loaded = encoder.state_dict()
    assert own.keys() == loaded.keys()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in own.items())
    assert encoder.frozen
    assert encoder.stride == 20


@pytest.mark.parametrize("kind", KINDS)
def test_clip_does_not_depend_on_padding_or_mates(folder_of, kind):
    encoder = build(f"{folder_of(kind)}@1")
    lengths = torch.tensor([3000, 0, 1111, 40])
    wave = torch.randn(4, 3700) * torch.tensor([0.1, 1, 2, 0.5])[:, None]
    y, out = encoder(wave, lengths)
    for index, length in enumerate(lengths.tolist()):
        assert not y[index, out[index] :].any()
        if length:
            alone, _ = encoder(wave[index : index + 1, :length], lengths[index : index + 1])
            torch.testing.assert_close(y[index, : out[index]], alone[0], atol=1e-5, rtol=0)


def test_heads_are_left_out_and_named(folder_of, caplog):
    heads = ["lm_head.weight", "lm_head.bias", "projector.weight", "classifier.weight"]
    folder = folder_of("wav2vec2", "ctc", prefix="wav2vec2.", heads=heads)
    with caplog.at_level(logging.INFO):
        state = build(folder).state_dict()
    said = "left out, as only the encoder is used: classifier (1 tensors), lm_head (2 tensors), projector (1 tensors)"
    assert said in caplog.text
    assert "masked_spec_embed" not in caplog.text
    plain = build(folder_of("wav2vec2", "plain")).state_dict()
    assert all(torch.equal(tensor, plain[name]) for name, tensor in state.items())


def test_equal_widths_keep_the_projection(hf, tmp_path):
    torch.manual_seed(4)
    model, settings = hf.model(encoder_embed_dim=16)
    assert model.post_extract_proj is None
    model.post_extract_proj = nn.Linear(16, 16)
    state = hf.state(model, layer_norm=False)
    encoder = build(hf.write(tmp_path / "hf", state, hf.config(settings)))
    wave = torch.randn(1, 900)
    expected = output_of(model, wave)
    torch.testing.assert_close(encoder(wave, torch.tensor([900]))[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("kind", "files", "expected"),
    [
        ("wav2vec2", {}, False),
        ("wav2vec2-layer", {}, True),
        ("wav2vec2", {"preprocessor_config": {"do_normalize": True, "sampling_rate": 16000}}, True),
        ("wav2vec2-layer", {"preprocessor_config": {"do_normalize": False}}, False),
        ("wav2vec2-layer", {"processor_config": {"feature_extractor": {"do_normalize": False}}}, False),
    ],
)
def test_whether_waves_are_normalised(folder_of, kind, files, expected):
    assert build(folder_of(kind, **files)).normalize is expected


def test_settings_are_part_of_the_fingerprint(folder_of, tmp_path):
    plain = build(folder_of("wav2vec2", "a"))
    state = tmp_path / "a" / "model.safetensors"
    normal = folder_of("wav2vec2", "b", preprocessor_config={"do_normalize": True})
    (normal / "model.safetensors").write_bytes(state.read_bytes())
    other = build(normal).fingerprint
    assert other[:64] == plain.fingerprint[:64]
    assert other != plain.fingerprint
    drops = folder_of("wav2vec2", "c", change={"hidden_dropout": 0.3})
    (drops / "model.safetensors").write_bytes(state.read_bytes())
    assert build(drops).fingerprint == plain.fingerprint  # dropout changes nothing that is stored
    assert build(f"{drops / 'model.safetensors'}").fingerprint == plain.fingerprint  # the file in its folder


def published(hf, **changes):
    """A model of published kernels and width, of which tensors alone are enough."""
    kernels = "[(4, 10, 5)] + [(4, 3, 2)] * 4 + [(4, 2, 2)] * 2"
    sizes = {
        "encoder_embed_dim": 768,
        "encoder_ffn_embed_dim": 8,
        "encoder_attention_heads": 12,
        "conv_pos": 4,
    }
    return hf.model(conv_feature_layers=kernels, **sizes, **changes)


@pytest.mark.parametrize("layer", [True, False])
def test_tensors_alone(hf, tmp_path, layer, caplog):
    torch.manual_seed(6)
    changes = {"extractor_mode": "layer_norm", "layer_norm_first": True, "conv_bias": True} if layer else {}
    model, _ = published(hf, **changes)
    state = hf.state(model, layer_norm=layer)
    torch.save(state, tmp_path / "final_wav2vec.pt")
    with caplog.at_level(logging.INFO):
        encoder = build(tmp_path / "final_wav2vec.pt")
    end = "12 heads, and norm layers " + ("first" if layer else "last")
    assert f"its shapes tell 2 layers of width 768; as published, {end}" in caplog.text
    wave = torch.randn(1, 1500) * 0.1
    expected = output_of(model, hf.normalised(wave) if layer else wave)
    torch.testing.assert_close(encoder(wave, torch.tensor([1500]))[0], expected, atol=2e-5, rtol=0)
    if layer:
        return
    refused = {
        "shapes do not tell strides; found [10, 3, 3, 3, 3, 2].": {
            name: x for name, x in state.items() if "conv_layers.6" not in name
        },
        "(do_stable_layer_norm); found group norms with bias. Put it into a folder as pytorch_model.bin": {
            **state,
            "feature_extractor.conv_layers.0.conv.bias": torch.zeros(4),
        },
        "with a width of 768, 1024, 1280, 1920, because shapes do not tell the number of attention heads; "
        "found 9.": {**state, "encoder.layer_norm.weight": torch.zeros(9)},
        "found no encoder.pos_conv_embed.conv.weight_v.": {
            name: x for name, x in state.items() if "pos_conv" not in name
        },
        "found no encoder.layers.1.fc1.weight.": {
            name: x for name, x in state.items() if "1.feed_forward.intermediate_dense.weight" not in name
        },
        "found a variant with an adapter over its transformer": {**state, "adapter.x": torch.zeros(1)},
    }
    for text, content in refused.items():
        torch.save(content, tmp_path / "x.pt")
        assert text in fault(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model_type": "hubert"}, "found those of a model 'hubert'. Name the right folder"),
        ({"hidden_act": "relu"}, "hidden_act: expected 'gelu', as in the published models; found 'relu'."),
        ({"add_adapter": True}, "add_adapter: expected False, as in the published models; found True."),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm: expected 'group' or 'layer'; found 'batch'."),
        ({"hidden_size": "big"}, "hidden_size: expected a whole number from 1 on; found 'big'."),
        ({"num_attention_heads": 5}, "num_attention_heads: expected a divisor of hidden_size 32; found 5."),
        ({"conv_stride": [5]}, "conv_dim: expected a list as long as conv_kernel and conv_stride; found [16"),
        ({"conv_kernel": [1, "x", 3]}, "conv_feature_layers: expected convolution layers as"),
        ({"layerdrop": 7}, "layerdrop: expected a number from 0 to 1; found 7."),
        ({"num_hidden_layers": 3}, "found no encoder.layers.2."),
        ({"num_hidden_layers": 1}, "found also encoder.layers.1."),
        ({"intermediate_size": 9}, "fc1.bias (48,) instead of (9,)"),
    ],
)
def test_settings_that_do_not_fit(folder_of, change, text):
    assert text in fault(folder_of("wav2vec2", change=change))


def test_other_sampling_rate(folder_of):
    folder = folder_of("wav2vec2", preprocessor_config={"sampling_rate": 8000})
    assert "expected a model of sound at 16000 Hz; found one trained at 8000 Hz" in fault(folder)


def test_broken_folders(folder_of, tiny, hf, tmp_path):
    (tmp_path / "empty").mkdir()
    wanted = "expected a wav2vec 2.0 folder of Hugging Face, with config.json and model.safetensors or "
    wanted += "pytorch_model.bin"
    assert f"{wanted}; found an empty folder. Download the missing file" in fault(tmp_path / "empty")
    folder = folder_of("wav2vec2")
    (folder / "config.json").rename(folder / "old.json")
    assert f"{wanted}; found model.safetensors, old.json." in fault(folder)
    (folder / "config.json").write_text("[1]")
    assert "config.json: expected settings as JSON; found a list. Download" in fault(folder)
    (folder / "config.json").write_text("{")
    assert "config.json: expected settings as JSON; found Expecting" in fault(folder)
    (folder / "old.json").rename(folder / "config.json")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    assert f"found no whole safetensors file, of {len(content) // 2} bytes" in fault(folder)
    hf.write(folder, {"a.weight": torch.zeros(2)}, hf.config(tiny.settings["wav2vec2"]))
    assert "one of them 'feature_extractor.conv_layers.0.conv.weight'; found a.weight." in fault(folder)
    assert "no.pt: expected a wav2vec 2.0 checkpoint of fairseq or Hugging Face; found no such" in fault(
        tmp_path / "no.pt"
    )


class Runs:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_pickled_file_never_runs(folder_of, tmp_path):
    folder = folder_of("wav2vec2")
    (folder / "model.safetensors").unlink()
    torch.save({"lm_head": Runs(tmp_path / "ran")}, folder / "pytorch_model.bin")
    assert "which loading would have to run" in fault(folder)
    assert "which loading would have to run" in fault(folder / "pytorch_model.bin")
    assert not (tmp_path / "ran").exists()
