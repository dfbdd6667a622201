"""ResNet-18 on log-mel spectrograms: the spectrogram against a plain computation, pieces, weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmer_fairseq.encoders import StreamEncoders, StreamSpec, build_encoder
from mmer_fairseq.encoders.resnet_logmel import ResNetLogMel, log_mel
from mmer_fairseq.errors import InputError


def spec(path: str, **changes) -> StreamSpec:
    return StreamSpec("audio", "samples", f"resnet18:{path}", **{"rate": 44100.0, "chunk": 9000, **changes})


def wave(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(2)) * 0.1


def plain_log_mel(samples: np.ndarray) -> np.ndarray:
    """[samples] → [64, frames], written out from the description of the original, in double precision."""
    window = np.zeros(1024)
    window[71 : 71 + 882] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(882) / 882)
    padded = np.pad(samples.astype(np.float64), 512, mode="reflect")
    frames = np.stack([padded[at : at + 1024] for at in range(0, len(padded) - 1023, 441)])
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 22050 / 700), 66) / 2595) - 1)
    filters = np.zeros((513, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        for row, hertz in enumerate(np.arange(513) * 44100 / 1024):
            filters[row, band] = max(
                0.0, min((hertz - low) / (centre - low), (high - hertz) / (high - centre))
            )
    decibels = 10 * np.log10(np.maximum(power @ filters, 1e-10))
    return ((np.maximum(decibels, decibels.max() - 80) + 14.8) / 19.895).T


@pytest.fixture(scope="module")
def encoder() -> ResNetLogMel:
    torch.manual_seed(0)
    return build_encoder(spec("random", frozen=True), 0)


@pytest.fixture(scope="module")
def published(constant) -> dict[str, torch.Tensor]:
    """Tensors as torchvision publishes them."""
    from torchvision.models import resnet18

    with torch.device("meta"):
        state = resnet18(weights=None).state_dict()
    return constant(state)


@pytest.mark.parametrize("samples", [45599, 44100, 513])
def test_spectrogram(samples):
    x = wave(2, samples)
    x[1, samples // 3 :] *= 1e-5  # down to the limit of 80 dB
    y = log_mel(x)
    assert y.shape == (2, 64, 1 + samples // 441)
    for row, clip in zip(y, x):
        np.testing.assert_allclose(row, plain_log_mel(clip.numpy()), atol=2e-3)


def test_silence_and_short_sound():
    assert log_mel(wave(1, 45599)).shape[2] == 104
    torch.testing.assert_close(log_mel(torch.zeros(1, 600)), torch.full((1, 64, 2), (-100 + 14.8) / 19.895))
    short = wave(1, 100)
    torch.testing.assert_close(log_mel(short), log_mel(torch.cat([torch.zeros(1, 413), short], 1)))


def test_pieces_of_a_clip(encoder):
    x = wave(4, 20000)
    lengths = torch.tensor([20000, 0, 9000, 300])
    y, out = encoder(x, lengths)
    assert (y.shape, out.tolist()) == ((4, 3, 512), [3, 0, 1, 1])
    assert (encoder.dim, encoder.stride) == (512, 9000)
    short = torch.cat([torch.zeros(8700), x[3, :300]])  # filled on the left
    pieces = torch.stack([x[0, :9000], x[0, 9000:18000], x[0, 11000:20000], x[2, :9000], short])
    expected = encoder.spectrogram_vectors(log_mel(pieces)[:, None])
    torch.testing.assert_close(y[[0, 0, 0, 2, 3], [0, 1, 2, 0, 0]], expected, atol=1e-4, rtol=1e-4)
    assert not y[1].any()
    assert not y[2, 1:].any()


def test_clip_does_not_depend_on_padding_or_mates(encoder):
    x, lengths = wave(3, 12000), torch.tensor([12000, 5000, 9001])
    together, out = encoder(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, _ = encoder(x[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row, : out[row]], alone[0], atol=1e-4, rtol=1e-4)


def test_without_chunks_a_piece_is_a_second():
    assert build_encoder(spec("random", chunk=0), 0).stride == 44100


def test_each_chunk_is_one_vector(encoder):
    streams = StreamEncoders({"audio": spec("random", frozen=True)}, {"audio": 512})
    streams.encoder["audio"].load_state_dict(encoder.state_dict())
    x = wave(2, 18000)
    y, lengths = streams({"audio": x}, {"audio": torch.tensor([18000, 9000])})
    assert lengths["audio"].tolist() == [2, 1]
    expected = encoder.spectrogram_vectors(log_mel(x.view(4, 9000))[:3, None])
    torch.testing.assert_close(y["audio"].flatten(0, 1)[:3], expected, atol=1e-4, rtol=1e-4)
    assert not y["audio"][1, 1].any()


def test_every_weight_gets_a_gradient():
    encoder = build_encoder(spec("random"), 0).train()
    assert not encoder.frozen
    y, _ = encoder(wave(2, 9000), torch.tensor([9000, 9000]))
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_frozen_stays_as_it_is(encoder):
    encoder.train()
    assert not encoder.training
    y, _ = encoder(wave(1, 9000), torch.tensor([9000]))
    assert y.grad_fn is None


def test_half_precision_follows_the_weights(encoder):
    x, lengths = wave(1, 9000), torch.tensor([9000])
    exact, _ = encoder(x, lengths)
    half = build_encoder(spec("random", frozen=True), 0)
    half.load_state_dict(encoder.state_dict())
    y, _ = half.bfloat16()(x, lengths)
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.05 * exact.abs().mean()


def form_of(published: dict[str, torch.Tensor], form: str):
    """The content of a file of weights."""
    if form == "torchvision":
        filters = torch.stack([torch.full((64, 7, 7), value) for value in (1.0, 2.0, 6.0)], dim=1)
        return {**published, "conv1.weight": filters}
    body = {name: x for name, x in published.items() if not name.startswith("fc.")}
    body["conv1.weight"] = torch.tensor(3.0).expand(64, 1, 7, 7)
    if form == "audio_resnet18":
        return {f"resnet.{name}": x for name, x in body.items()}
    if form == "our own training":
        return {"model": {f"encoders.encoder.audio.body.{name}": x for name, x in body.items()}}
    others = {
        "vision_r2d1.r2plus1d.layer1.0.conv1.0.0.weight": torch.zeros(1),
        "vision_i3d.temporal.network.0.conv1.bias": torch.zeros(1),
    }
    return {**others, **{f"audio_resnet18.resnet.module.{name}": x for name, x in body.items()}}


@pytest.mark.parametrize(
    "form", ["torchvision", "audio_resnet18", "all_backbones, parallel", "our own training"]
)
def test_forms_of_weights(published, tmp_path, form):
    path = tmp_path / "weights.pt"
    torch.save(form_of(published, form), path)
    encoder = build_encoder(spec(path), 0)
    assert encoder.frozen
    state = encoder.state_dict()
    assert len(state) == len(published) - 2
    assert torch.equal(state.pop("body.conv1.weight"), torch.full((64, 1, 7, 7), 3.0))
    for name, tensor in state.items():
        assert torch.equal(tensor, published[name[len("body.") :]]), name
    assert len(encoder.fingerprint) == 64 + len("/9000")


def test_published_weights_are_downloaded_when_asked_for(published, monkeypatch):
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda url, **others: dict(published)
    )
    encoder = build_encoder(spec("imagenet"), 0)
    assert encoder.frozen
    assert encoder.fingerprint == "imagenet/9000"
    torch.testing.assert_close(
        encoder.body.conv1.weight, published["conv1.weight"].mean(1, keepdim=True), atol=0, rtol=0
    )


def test_published_weights_without_network(monkeypatch):
    def load(url, **others):
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", load)
    with pytest.raises(
        InputError,
        match=r"imagenet: expected torchvision's weights of ResNet-18, in its cache or from the network; found "
        r"RuntimeError: invalid hash value\. Check",
    ):
        build_encoder(spec("imagenet"), 0)


def test_foreign_files(published, tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"stem.0.weight": torch.zeros(1)}, path)
    with pytest.raises(
        InputError,
        match=r"x\.pt: expected weights of ResNet-18, among them 'layer1\.0\.conv1\.weight'; found stem",
    ):
        build_encoder(spec(path), 0)
    torch.save({name: x for name, x in published.items() if name != "conv1.weight"}, path)
    with pytest.raises(InputError, match=r"x\.pt: .*found no conv1\.weight\."):
        build_encoder(spec(path), 0)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(5)
    state = build_encoder(spec("random"), 0).state_dict()
    save_file({name[len("body.") :]: x for name, x in state.items()}, tmp_path / "x.safetensors")
    encoder = build_encoder(spec(tmp_path / "x.safetensors"), 0)
    assert encoder.frozen
    assert all(torch.equal(x, state[name]) for name, x in encoder.state_dict().items())


def test_other_rates():
    with pytest.raises(
        InputError, match=r"sampling rate in Hz .* of 44100, .*; found 16000\. Set it to 44100"
    ):
        build_encoder(spec("random", rate=16000.0), 0)
