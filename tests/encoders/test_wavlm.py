"""WavLM from a folder: equal to transformers' own model, clip by clip."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": [8, 8, 8],
    "conv_kernel": [10, 4, 4],
    "conv_stride": [5, 2, 2],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "num_buckets": 32,
    "max_bucket_distance": 80,
}
LARGE = {"feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}


def spec(path: object, **changes) -> StreamSpec:
    return StreamSpec("audio", "samples", f"wavlm:{path}", **{"rate": 16000.0, **changes})


def wave(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 0.1


def write(folder, **settings):
    """A folder as the hub gives it, and transformers' own model."""
    transformers = pytest.importorskip("transformers")
    config = transformers.WavLMConfig(**{**SIZES, **settings})
    torch.manual_seed(1)
    model = transformers.WavLMModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.3 * torch.randn(parameter.shape)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(config.to_json_string(use_diff=False))
    torch.save({f"wavlm.{name}": x for name, x in model.state_dict().items()}, folder / "pytorch_model.bin")
    return folder, model


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write(tmp_path_factory.mktemp("wavlm") / "base")


@torch.no_grad()
def expected(model, clip: torch.Tensor) -> torch.Tensor:
    return model(clip[None]).last_hidden_state[0]


def test_equals_transformers_whatever_the_company(base):
    folder, model = base
    encoder = build_encoder(spec(folder), 0)
    assert (encoder.dim, encoder.stride, encoder.frozen) == (16, 20, True)
    x, lengths = wave(5, 900), torch.tensor([900, 500, 0, 500, 30])
    y, out = encoder(x, lengths)
    assert out.tolist() == encoder.output_lengths(lengths).tolist()
    for row, length in enumerate(lengths.tolist()):
        if length:
            clip = torch.cat([x[row, :length], torch.zeros(max(55 - length, 0))])  # 55: the receptive field
            theirs = expected(model, clip)
            assert len(theirs) == out[row]
            torch.testing.assert_close(y[row, : out[row]], theirs, atol=1e-5, rtol=0)
        assert not y[row, out[row] :].any()


def test_large_form_is_normalised(tmp_path):
    folder, model = write(tmp_path / "large", **LARGE)
    encoder = build_encoder(spec(folder), 0)
    x = wave(2, 700) + 0.5
    y, out = encoder(x, torch.tensor([700, 400]))
    short = x[1, :400]
    short = (short - short.mean()) / (short.var(unbiased=False) + 1e-7).sqrt()
    torch.testing.assert_close(y[1, : out[1]], expected(model, short), atol=1e-5, rtol=0)
    # a folder can say otherwise
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false, "sampling_rate": 16000}')
    plain = build_encoder(spec(folder), 0)
    y, out = plain(x, torch.tensor([700, 400]))
    torch.testing.assert_close(y[0, : out[0]], expected(model, x[0]), atol=1e-5, rtol=0)
    assert plain.fingerprint[:64] == encoder.fingerprint[:64]
    assert plain.fingerprint != encoder.fingerprint


def test_first_layers(base):
    folder, model = base
    x = wave(1, 600)
    with torch.no_grad():
        hidden = model(x, output_hidden_states=True).hidden_states
    fingerprints = set()
    for count in (1, 2, 3):
        encoder = build_encoder(spec(f"{folder}@{count}"), 0)
        torch.testing.assert_close(encoder(x, torch.tensor([600]))[0], hidden[count], atol=1e-5, rtol=0)
        fingerprints.add(encoder.fingerprint)
    assert len(fingerprints) == 3
    assert build_encoder(spec(folder), 0).fingerprint == encoder.fingerprint
    with pytest.raises(InputError, match=r"@4: expected a number of layers from 1 to 3.*; found 4\."):
        build_encoder(spec(f"{folder}@4"), 0)


def test_other_forms_of_the_weights(base, tmp_path):
    from safetensors.torch import save_file

    folder, model = base
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    state = {}
    for name, x in model.state_dict().items():
        for new, old in names.items():
            name = name.replace(new, old)
        state[name] = x.contiguous()
    save_file({**state, "masked_spec_embed": torch.zeros(16)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    x = wave(1, 600)
    y, _ = build_encoder(spec(tmp_path), 0)(x, torch.tensor([600]))
    torch.testing.assert_close(y[0], expected(model, x[0]), atol=1e-5, rtol=0)


def test_every_weight_gets_a_gradient(base):
    encoder = build_encoder(spec(base[0], frozen=False), 0).train()
    y, _ = encoder(wave(3, 600), torch.tensor([600, 300, 600]))
    (y * torch.randn(y.shape)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or name.endswith("k_proj.bias"), (
            name
        )  # a shift of all keys changes nothing


def test_frozen_stays_as_it_is(base):
    encoder = build_encoder(spec(base[0]), 0).train()
    assert not any(module.training for module in encoder.modules())
    x = wave(1, 600)
    y, _ = encoder(x, torch.tensor([600]))
    assert y.grad_fn is None
    assert torch.equal(y, encoder(x, torch.tensor([600]))[0])


def test_half_precision_follows_the_weights(base):
    encoder = build_encoder(spec(base[0]), 0)
    x, lengths = wave(2, 600), torch.tensor([600, 200])
    exact, _ = encoder(x, lengths)
    y, _ = encoder.bfloat16()(x, lengths)
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model_type": "hubert"},
            r'expected settings of a WavLM model \("model_type": "wavlm"\); found those of a',
        ),
        (
            {"add_adapter": True},
            r"expected a published form of WavLM; found a variant with an adapter over its",
        ),
        (
            {"hidden_size": 17},
            r"config\.json: expected settings of a WavLM model; found ValueError: .*divisible",
        ),
        ({"conv_dim": "wide"}, r"config\.json: expected settings of a WavLM model; found \w+: .*"),
        ({"intermediate_size": 25}, r"pytorch_model\.bin: .*feed_forward.* instead of"),
    ],
)
def test_settings_that_do_not_fit(base, tmp_path, change, message):
    folder, model = base
    settings = {**json.loads((folder / "config.json").read_text()), **change}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=message):
        build_encoder(spec(tmp_path), 0)


def test_no_folder(tmp_path):
    with pytest.raises(
        InputError,
        match=r"nowhere: expected a folder of Hugging Face's WavLM; found no such folder\. Download one, and name it "
        r"\(nothing is downloaded\)\.",
    ):
        build_encoder(spec(tmp_path / "nowhere"), 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file: expected a folder of Hugging Face's WavLM; found a file\."):
        build_encoder(spec(tmp_path / "file"), 0)
    with pytest.raises(
        InputError, match=r"expected a WavLM folder of Hugging Face, with config\.json and model\."
    ):
        build_encoder(spec(tmp_path), 0)


def test_without_transformers(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "wavlm"}')
    torch.save({}, tmp_path / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        InputError,
        match=r"encoder 'wavlm': expected the package transformers, which computes it; found none that can be "
        r"imported \(.*\)\. Install it: pip install 'mmer_fairseq\[wavlm\]'\.",
    ):
        build_encoder(spec(tmp_path), 0)


def test_other_rates(base, tmp_path):
    folder, _ = base
    for name in ("config.json", "pytorch_model.bin"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(
        InputError, match="expected a model of sound at 16000 Hz; found one trained at 8000 Hz"
    ):
        build_encoder(spec(tmp_path), 0)
