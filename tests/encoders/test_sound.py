"""wav2vec, wav2vec 2.0 and HuBERT against fairseq's own forward, and clip against batch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.errors import InputError

KINDS = ["wav2vec", "wav2vec2", "wav2vec2-layer", "hubert"]


def load(tiny, kind, frozen=None):
    spec = StreamSpec("audio", "samples", f"{kind.split('-')[0]}:{tiny(kind)}", frozen=frozen, rate=16000.0)
    return build_encoder(spec, 0)


def fairseq_output(tiny, kind, wave):
    """What fairseq computes for one unpadded clip."""
    tiny(kind)
    model = tiny.models[kind].eval()
    with torch.no_grad():
        if kind == "wav2vec":
            return model.feature_aggregator(model.feature_extractor(wave)).transpose(1, 2)
        if kind == "wav2vec2-layer":  # normalize=True is the data set's work in fairseq
            wave = F.layer_norm(wave, wave.shape[-1:])
        y = model.extract_features(wave, padding_mask=None)
        return y[0] if kind == "hubert" else y["x"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("samples", [4000, 1237])
def test_unpadded_clip_equals_fairseq(tiny, kind, samples):
    wave = torch.randn(1, samples, generator=torch.Generator().manual_seed(2)) * 0.2 + 0.05
    y, lengths = load(tiny, kind)(wave, torch.tensor([samples]))
    expected = fairseq_output(tiny, kind, wave)
    assert y.shape == expected.shape
    assert lengths.tolist() == [expected.size(1)]
    assert expected.std() > 0.05
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_clip_does_not_depend_on_padding_or_mates(tiny, kind):
    encoder = load(tiny, kind)
    generator = torch.Generator().manual_seed(3)
    lengths = torch.tensor([3000, 0, 1111, 40, 2000, 3])
    wave = torch.randn(6, 3700, generator=generator) * torch.tensor([0.1, 1, 2, 0.5, 0.3, 1])[:, None]
    # rubbish in the padding: it must not be looked at
    y, out = encoder(wave, lengths)
    assert out.tolist() == encoder.output_lengths(lengths).tolist()
    for index, length in enumerate(lengths.tolist()):
        assert (y[index, out[index] :] == 0).all()
        if length:
            alone, alone_length = encoder(wave[index : index + 1, :length], lengths[index : index + 1])
            assert alone_length[0] == out[index] == alone.size(1)
            torch.testing.assert_close(y[index, : out[index]], alone[0], atol=1e-5, rtol=0)
    assert out.tolist()[1] == 0
    assert out.tolist()[5] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_exact_around_every_boundary(tiny, kind):
    encoder = load(tiny, kind)
    lengths = torch.arange(1, 200)
    computed = encoder.output_lengths(lengths).tolist()
    for n in (1, 31, 61, 62, 63, 100, 101, 102, 141, 199):
        y, _ = encoder(torch.randn(1, n), torch.tensor([n]))
        assert y.size(1) == computed[n - 1], n


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_stays_frozen(tiny, kind):
    encoder = load(tiny, kind)
    encoder.train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    wave = torch.randn(2, 900, requires_grad=True)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        y, _ = encoder(wave, torch.tensor([900, 600]))
    assert y.grad_fn is None
    assert not saved
    again, _ = encoder(wave, torch.tensor([900, 600]))
    assert torch.equal(y, again)


@pytest.mark.parametrize("kind", KINDS)
def test_trainable_trains_every_weight(tiny, kind):
    encoder = load(tiny, kind, frozen=False).train()
    if hasattr(encoder, "encoder"):
        encoder.encoder.layerdrop = 0.0
    wave = torch.randn(3, 900)
    target = torch.randn(encoder.dim)
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        y, lengths = encoder(wave, torch.tensor([900, 0, 500]))
        loss = (y.sum(1) / lengths.clamp(min=1)[:, None] - target).square()[[0, 2]].mean()
        optimizer.zero_grad()
        loss.backward()
        missing = [name for name, p in encoder.named_parameters() if p.grad is None]
        assert not missing
        assert all(p.grad.isfinite().all() for p in encoder.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_no_clip_at_all_gives_zeros_and_zero_gradients(tiny):
    encoder = load(tiny, "wav2vec", frozen=False)
    y, lengths = encoder(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))
    assert y.shape == (3, 1, encoder.dim)
    assert not y.any()
    assert lengths.tolist() == [0, 0, 0]
    y.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in encoder.parameters())


def test_half_precision(tiny):
    encoder = load(tiny, "wav2vec2").bfloat16()
    wave, lengths = torch.randn(2, 2000), torch.tensor([2000, 1500])
    y, _ = encoder(wave, lengths)
    assert y.dtype == torch.bfloat16
    exact, _ = load(tiny, "wav2vec2")(wave, lengths)
    assert (y.float() - exact).abs().mean() < 0.05


def test_fingerprint_is_that_of_the_file(tiny):
    import hashlib
    from pathlib import Path

    expected = hashlib.sha256(Path(tiny("wav2vec")).read_bytes()).hexdigest()
    assert load(tiny, "wav2vec").fingerprint == expected


def test_fine_tuned_checkpoint_gives_its_inner_model(tiny, tmp_path):
    base = torch.load(tiny("wav2vec2"), weights_only=False)
    state = {f"w2v_encoder.w2v_model.{k}": v for k, v in base["model"].items()}
    state["w2v_encoder.proj.weight"] = torch.zeros(3, 32)
    cfg = {
        "model": {"_name": "wav2vec_ctc", "w2v_args": {"model": vars(base["args"]), "task": {}}},
        "task": {"normalize": True},
    }
    torch.save({"cfg": cfg, "model": state}, tmp_path / "ctc.pt")
    spec = StreamSpec("audio", "samples", f"wav2vec2:{tmp_path / 'ctc.pt'}")
    encoder = build_encoder(spec, 0)
    assert encoder.normalize
    plain = load(tiny, "wav2vec2").state_dict()
    assert all(torch.equal(x, plain[name]) for name, x in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"aggregator": "gru", "gru_dim": 8}, "aggregator 'gru'"),
        ({"vq_type": "gumbel"}, "vector quantizer 'gumbel'"),
    ],
)
def test_variants_that_mix_clips_are_refused(tiny, tmp_path, change, found):
    content = torch.load(tiny("wav2vec"), weights_only=False)
    vars(content["args"]).update(change)
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InputError, match=found):
        build_encoder(StreamSpec("audio", "samples", f"wav2vec:{tmp_path / 'x.pt'}"), 0)


def test_other_sampling_rates_are_refused(tiny):
    spec = StreamSpec("audio", "samples", f"wav2vec:{tiny('wav2vec')}", rate=8000.0)
    with pytest.raises(InputError, match=r"expected a sampling rate .* of 16000, .*; found 8000\. Set it"):
        build_encoder(spec, 0)
