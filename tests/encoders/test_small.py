"""The small trainable encoders: shapes, lengths, independence from the batch, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from mmer_fairseq.encoders import StreamSpec, build_encoder
from mmer_fairseq.encoders.logmel import LogMel, mel_filters
from mmer_fairseq.errors import InputError

SPECS = {
    "text": StreamSpec("text", "tokens", vocab_size=30),
    "audio": StreamSpec("audio", "samples", rate=16000.0),
    "video": StreamSpec("video", "frames", frame_size=64),
}
LENGTHS = {"text": [7, 3, 0, 1], "audio": [16000, 9777, 0, 100], "video": [4, 2, 0, 1]}


def stream(modality: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    if modality == "text":
        return torch.randint(0, 30, (4, 9), generator=generator)
    if modality == "audio":
        return torch.randn(4, 17000, generator=generator) * 0.1
    return torch.randint(0, 256, (4, 5, 3, 64, 64), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("modality", SPECS)
@pytest.mark.parametrize("width", [48, 200, 7])
def test_width_lengths_and_zeros_at_padding(modality, width):
    encoder = build_encoder(SPECS[modality], width)
    assert (encoder.dim, encoder.frozen) == (width, False)
    lengths = torch.tensor(LENGTHS[modality])
    y, out = encoder(stream(modality), lengths)
    assert y.shape[0] == 4
    assert y.shape[2] == width
    assert out.tolist() == encoder.output_lengths(lengths).tolist()
    for row, length in zip(y, out.tolist()):
        assert not row[length:].any()
        assert row[:length].all()


@pytest.mark.parametrize("modality", SPECS)
def test_clip_does_not_depend_on_padding_or_mates(modality):
    encoder = build_encoder(SPECS[modality], 32).eval()
    x, lengths = stream(modality), torch.tensor(LENGTHS[modality])
    y, out = encoder(x, lengths)
    for index in (0, 1, 3):
        alone, _ = encoder(x[index : index + 1, : lengths[index]], lengths[index : index + 1])
        assert alone.size(1) == out[index]
        torch.testing.assert_close(y[index, : out[index]], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("modality", SPECS)
def test_every_weight_gets_a_finite_gradient(modality):
    encoder = build_encoder(SPECS[modality], 32).train()
    y, _ = encoder(stream(modality), torch.tensor(LENGTHS[modality]))
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("modality", SPECS)
def test_half_precision_follows_the_weights(modality):
    encoder = build_encoder(SPECS[modality], 32).eval()
    x, lengths = stream(modality), torch.tensor(LENGTHS[modality])
    exact, _ = encoder(x, lengths)
    y, _ = encoder.bfloat16()(x, lengths)
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.05


def test_start_token_sees_the_last_word():
    encoder = build_encoder(SPECS["text"], 32).eval()
    y, _ = encoder(torch.tensor([[0, 5, 6, 7, 2], [0, 5, 6, 9, 2]]), torch.tensor([5, 5]))
    assert (y[0, 0] - y[1, 0]).abs().max() > 1e-3


def test_log_mel_lengths_are_exact():
    encoder = LogMel(8)
    lengths = torch.tensor([1, 639, 640, 799, 800, 801, 1919, 1920, 2079, 2080, 16000, 32001])
    computed = encoder.output_lengths(lengths).tolist()
    assert computed == [encoder(torch.randn(1, n), torch.tensor([n]))[0].size(1) for n in lengths.tolist()]
    assert encoder.stride == 1280  # 12.5 vectors a second at 16 kHz


def test_mel_filters_cover_every_frequency_above_the_lowest():
    filters = mel_filters(40, 1024, 16000.0, low=50.0)
    inner = torch.linspace(0, 8000, 513)
    total = filters.sum(1)
    assert not filters.lt(0).any()
    between = (inner > 150) & (inner < 7500)
    torch.testing.assert_close(total[between], torch.ones(int(between.sum())), atol=1e-4, rtol=0)


def test_spectrum_is_the_one_that_scipy_computes():
    encoder = LogMel(8)
    wave = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    both = encoder._frames(wave, torch.tensor([47]))
    _, _, expected = signal.stft(
        wave[0].numpy(), 16000, encoder.hann.numpy(), 640, 480, 1024, boundary=None, padded=False
    )
    power = torch.from_numpy(np.abs(expected) ** 2).T.float() * encoder.hann.sum() ** 2
    energy = (power @ encoder.mel / 640 + 1e-7).log()
    torch.testing.assert_close(both[0, :64].T, (energy + 8) / 4, atol=2e-3, rtol=0)


def test_loudness_is_kept():
    encoder = LogMel(8).eval()
    wave = torch.randn(1, 8000)
    loud, _ = encoder(wave, torch.tensor([8000]))
    quiet, _ = encoder(wave * 0.1, torch.tensor([8000]))
    assert (loud - quiet).abs().max() > 0.05


@pytest.mark.parametrize("token", [30, -1])
def test_tokens_outside_the_vocabulary(token):
    encoder = build_encoder(SPECS["text"], 8)
    with pytest.raises(
        InputError, match=rf"stream of tokens: expected tokens in 0 … 29; found {token}\. Use"
    ):
        encoder(torch.tensor([[0, token]]), torch.tensor([2]))


def test_tokens_without_a_vocabulary():
    with pytest.raises(
        InputError, match=r"expected tokens of a vocabulary of known size; .*mmer tokenizer DIR"
    ):
        build_encoder(StreamSpec("text", "tokens"), 8)


@pytest.mark.parametrize("modality", SPECS)
def test_learns_from_a_few_clips(modality):
    """Two classes that differ in a word, a pitch, a spot: learnt within some steps."""
    torch.manual_seed(0)
    target = torch.arange(16) % 2
    lengths = torch.full((16,), {"text": 6, "audio": 8000, "video": 2}[modality])
    if modality == "text":
        x = torch.randint(4, 28, (16, 6))
        x[:, 3] = 28 + target
    elif modality == "audio":
        pitch = torch.where(target.bool(), 150.0, 190.0)[:, None]
        x = (torch.arange(8000) * pitch * 2 * torch.pi / 16000).sin().sign() * 0.1 + torch.randn(
            16, 8000
        ) * 0.01
    else:
        x = torch.randint(0, 40, (16, 2, 3, 64, 64), dtype=torch.uint8)
        x[target.bool(), :, :, 40:44, 24:40] = 200
        x[~target.bool(), :, :, 44:48, 24:40] = 200
    encoder, head = build_encoder(SPECS[modality], 32), torch.nn.Linear(32, 2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 2e-3)
    for _ in range(40):
        y, steps = encoder(x, lengths)
        pooled = y[:, 0] if modality == "text" else y.sum(1) / steps[:, None]
        loss = torch.nn.functional.cross_entropy(head(pooled), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
