"""Stored features of any scale come out with zero mean and unit variance."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.encoders import StreamEncoders, StreamSpec, build_encoder
from mmer_fairseq.errors import InputError


def spec(x: torch.Tensor, **more) -> StreamSpec:
    flat = x.flatten(0, 1).double()
    mean, deviation = flat.mean(0).tolist(), flat.std(0, unbiased=False).tolist()
    return StreamSpec(
        "audio",
        "features",
        "standardise",
        dim=x.size(-1),
        mean=tuple(mean),
        deviation=tuple(deviation),
        **more,
    )


def features() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(50, 4, 3, generator=generator) * torch.tensor([1e-4, 1.0, 1e4]) + torch.tensor(
        [0.0, -7.0, 3e4]
    )


def test_zero_mean_and_unit_variance_whatever_the_scale():
    x = features()
    y, lengths = build_encoder(spec(x), 16).eval()(x, torch.full((50,), 4))
    flat = y.flatten(0, 1)
    assert lengths.tolist() == [4] * 50
    torch.testing.assert_close(flat.mean(0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(flat.std(0, unbiased=False), torch.ones(3), atol=1e-3, rtol=0)


def test_constant_features_become_zero_and_outliers_are_cut():
    x = torch.tensor([1e6, 0.0]).expand(6, 1, 2).clone()
    x[:, 0, 1] = torch.arange(6.0)
    made = spec(x)
    x[0] = torch.tensor([5e6, 1e9])
    y, _ = build_encoder(made, 16).eval()(x, torch.ones(6, dtype=torch.long))
    assert y[0, 0].tolist() == [0.0, 5.0]
    assert not y[:, :, 0].any()


def test_padding_and_absent_clips_stay_zero():
    x = features()[:3]
    y, lengths = build_encoder(spec(x), 16)(x, torch.tensor([4, 2, 0]))
    assert lengths.tolist() == [4, 2, 0]
    assert not y[1, 2:].any()
    assert not y[2].any()


def test_statistics_travel_with_the_weights():
    x = features()
    trained = StreamEncoders({"audio": spec(x)}, {"audio": 3}).eval()
    loaded = StreamEncoders(
        {"audio": StreamSpec("audio", "features", "standardise", dim=3)}, {"audio": 3}
    ).eval()
    batch = {"audio": x}, {"audio": torch.full((50,), 4)}
    assert not torch.equal(loaded(*batch)[0]["audio"], trained(*batch)[0]["audio"])
    loaded.load_state_dict(trained.state_dict())
    assert torch.equal(loaded(*batch)[0]["audio"], trained(*batch)[0]["audio"])


def test_dropout_in_training_only():
    x, lengths = features(), torch.full((50,), 4)
    encoder = build_encoder(spec(x, dropout=0.5), 16)
    assert 0.4 < (encoder.train()(x, lengths)[0] == 0).float().mean() < 0.6
    assert encoder.eval()(x, lengths)[0].all()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"dim": 0}, "found width 0, 0 means, 0 deviations"),
        (
            {"dim": 3, "mean": (1.0, 2.0), "deviation": (1.0, 1.0)},
            "found width 3, 2 means, 2 deviations",
        ),
    ],
)
def test_statistics_of_another_width(given, found):
    with pytest.raises(
        InputError, match=f"stream 'audio': expected .* a mean and a deviation of each; {found}"
    ):
        build_encoder(StreamSpec("audio", "features", "standardise", **given), 8)
