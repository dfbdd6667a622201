"""The small encoder of biosignals: any rate, no dependence on padding, and that it learns."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.encoders import StreamEncoders, StreamSpec, build_encoder
from mmer_fairseq.encoders.physio_cnn import strides_for
from mmer_fairseq.errors import InputError

RATES = [0.0, 4.0, 32.0, 250.0]


def spec(rate: float = 32.0, **changes) -> StreamSpec:
    return StreamSpec("physio", "series", **{"dim": 3, "rate": rate, "dropout": 0.0, **changes})


def series(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("rate", "strides"),
    [
        (0.0, [1, 1, 1]),
        (1.0, [1, 1, 1]),
        (4.0, [1, 1, 1]),
        (7.9, [1, 1, 1]),
        (8.0, [2, 1, 1]),
        (32.0, [4, 2, 1]),
        (100.0, [4, 4, 1]),
        (512.0, [4, 4, 4, 2]),
        (1000.0, [4, 4, 4, 2]),
    ],
)
def test_four_to_eight_vectors_a_second(rate, strides):
    assert sorted(strides_for(rate), reverse=True) == strides
    encoder = build_encoder(spec(rate), 16)
    if rate >= 4:
        assert 4 <= rate / encoder.stride < 8


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("width", [48, 7])
def test_width_lengths_and_zeros_at_padding(rate, width):
    encoder = build_encoder(spec(rate), width)
    assert (encoder.dim, encoder.frozen) == (width, False)
    lengths = torch.tensor([130, 0, 1, 64, 65])
    y, out = encoder(series(5, 140, 3), lengths)
    assert out.tolist() == encoder.output_lengths(lengths).tolist()
    assert out.tolist() == [-(-n // encoder.stride) for n in lengths.tolist()]
    assert y.shape[0] == 5
    assert y.shape[2] == width
    for row, length in zip(y, out.tolist()):
        assert not row[length:].any()
        assert row[:length].all()


@pytest.mark.parametrize("rate", RATES)
def test_clip_does_not_depend_on_padding_or_mates(rate):
    encoder = build_encoder(spec(rate), 16).eval()
    x, lengths = series(4, 140, 3), torch.tensor([131, 0, 1, 64])
    x[3, 64:] = float("nan")
    y, out = encoder(x, lengths)
    for row in (0, 2, 3):
        alone, _ = encoder(x[row : row + 1, : lengths[row]], lengths[row : row + 1])
        assert alone.size(1) == out[row]
        torch.testing.assert_close(y[row, : out[row]], alone[0], atol=1e-5, rtol=0)


def test_channels_are_standardised_by_statistics_kept_with_the_weights():
    given = spec(mean=(5.0, -1.0, 300.0), deviation=(2.0, 0.1, 0.0))
    encoder, plain = build_encoder(given, 8).eval(), build_encoder(spec(), 8).eval()
    plain.load_state_dict({**encoder.state_dict(), "mean": torch.zeros(3), "scale": torch.ones(3)})
    x, lengths = series(1, 40, 3), torch.tensor([40])
    raw = x * torch.tensor([2.0, 0.1, 0.0]) + torch.tensor([5.0, -1.0, 300.0])
    x[..., 2] = 0  # a constant channel is nothing
    torch.testing.assert_close(encoder(raw, lengths)[0], plain(x, lengths)[0], atol=1e-4, rtol=0)
    again = build_encoder(spec(), 8).eval()
    again.load_state_dict(encoder.state_dict())
    assert torch.equal(again(raw, lengths)[0], encoder(raw, lengths)[0])


def test_a_lost_electrode_is_cut_off():
    encoder = build_encoder(spec(), 8).eval()
    x, lengths = series(1, 40, 3), torch.tensor([40])
    x[0, 7, 1] = 10.0
    expected, _ = encoder(x, lengths)
    x[0, 7, 1] = 1e6
    assert torch.equal(encoder(x, lengths)[0], expected)


def test_every_weight_gets_a_finite_gradient():
    encoder = build_encoder(spec(), 8).train()
    y, _ = encoder(series(3, 64, 3), torch.tensor([64, 20, 1]))
    y.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_half_precision_follows_the_weights():
    encoder = build_encoder(spec(), 8).eval()
    x, lengths = series(2, 64, 3), torch.tensor([64, 20])
    exact, _ = encoder(x, lengths)
    y, _ = encoder.bfloat16()(x, lengths)
    assert y.dtype == torch.bfloat16
    assert (y.float() - exact).abs().mean() < 0.05


def test_chunks_become_the_mean_of_their_vectors():
    given = spec(chunk=32)
    encoders = StreamEncoders({"physio": given}, {"physio": 8}).eval()
    x = series(1, 64, 3)
    y, lengths = encoders({"physio": x}, {"physio": torch.tensor([64])})
    assert lengths["physio"].tolist() == [2]
    inner, _ = encoders.encoder["physio"](x.view(2, 32, 3), torch.tensor([32, 32]))
    assert inner.shape == (2, 4, 8)
    torch.testing.assert_close(y["physio"][0], inner.mean(1), atol=1e-6, rtol=0)


def test_signals_that_do_not_fit():
    encoder = build_encoder(spec(), 8)
    with pytest.raises(
        InputError,
        match=r"stream of biosignals: expected 3 channels, which the model was built for; found a stream of shape "
        r"\(1, 5, 2\)\. Use",
    ):
        encoder(torch.zeros(1, 5, 2), torch.tensor([5]))
    with pytest.raises(
        InputError,
        match=r"stream 'physio': expected biosignals of at least 1 channel, and a mean and a deviation of each; "
        r"found 0 channels, 0 means, 0 deviations\.",
    ):
        build_encoder(spec(dim=0), 8)
    with pytest.raises(InputError, match=r"found 3 channels, 2 means, 3 deviations"):
        build_encoder(spec(mean=(0.0, 1.0)), 8)


def test_learns_from_a_few_clips():
    """Two classes that differ in the rate of a pulse, on another level in each clip."""
    torch.manual_seed(0)
    target = torch.arange(16) % 2
    time = torch.arange(256) / 32.0
    pulse = (time * torch.where(target.bool(), 1.0, 2.0)[:, None] * 2 * torch.pi).sin()
    x = torch.stack([pulse, torch.randn(16, 256), torch.randn(16, 1).expand(-1, 256)], dim=2)
    lengths = torch.full((16,), 256)
    encoder, head = build_encoder(spec(), 32), torch.nn.Linear(32, 2)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], 2e-3)
    for _ in range(40):
        y, steps = encoder(x, lengths)
        loss = torch.nn.functional.cross_entropy(head(y.sum(1) / steps[:, None]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
