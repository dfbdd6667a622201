"""Correlations and errors from sums, against SciPy and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mmer_fairseq.metrics import moments


def one(x: np.ndarray, y: np.ndarray, centre: float = 0.0) -> dict[str, torch.Tensor]:
    first, second = (torch.from_numpy(np.asarray(v, dtype=np.float64))[:, None] for v in (x, y))
    return moments.moments(first, second, torch.ones_like(first, dtype=torch.bool), centre)


def plain_ccc(x: np.ndarray, y: np.ndarray) -> float:
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return float(2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))


@pytest.mark.parametrize("mean", [0.0, 3.0, 100.0])
@pytest.mark.parametrize("clips", [2, 50, 20000])
def test_as_scipy(clips: int, mean: float) -> None:
    draw = np.random.default_rng(clips)
    y = draw.normal(mean, 1, clips)
    x = 0.5 * y + draw.normal(mean / 2, 0.3, clips)
    sums = one(x, y, centre=mean)
    assert moments.pearson(sums).item() == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
    assert moments.ccc(sums).item() == pytest.approx(plain_ccc(x, y), abs=1e-9)
    assert moments.mae(sums).item() == pytest.approx(np.abs(x - y).mean(), rel=1e-12)
    assert moments.mse(sums).item() == pytest.approx(((x - y) ** 2).mean(), rel=1e-12)
    assert moments.rmse(sums).item() == pytest.approx(math.sqrt(((x - y) ** 2).mean()), rel=1e-12)


def test_the_centre_saves_what_plain_sums_lose() -> None:
    draw = np.random.default_rng(0)
    y = 1e6 + draw.normal(0, 0.01, 1000)
    x = y + draw.normal(0, 0.01, 1000)
    truth = stats.pearsonr(x, y).statistic
    assert moments.pearson(one(x, y, centre=1e6)).item() == pytest.approx(truth, abs=1e-9)
    assert moments.pearson(one(x, y)).item() != pytest.approx(truth, abs=1e-4)


@pytest.mark.parametrize("clips", [1, 2, 3, 100, 7777])
@pytest.mark.parametrize("value", [0.0, 0.1, -2.7, 1e-30, 12345.678])
def test_constants(value: float, clips: int) -> None:
    constant = np.full(clips, value)
    moving = np.random.default_rng(1).normal(0, 1, clips)
    for x, y in ((constant, moving), (moving, constant), (constant, constant), (constant, constant + 1)):
        sums = one(x, y)
        assert moments.pearson(sums).item() == 0
        assert moments.ccc(sums).item() == 0
    assert moments.mae(one(constant, constant)).item() == 0


def test_a_constant_summed_clip_by_clip() -> None:
    # One at a time, rounding of 0.1 adds up in one direction.
    parts = [one(np.array([0.1]), np.array([float(k % 5)])) for k in range(4000)]
    sums = {key: torch.stack([part[key] for part in parts]).cumsum(0)[-1] for key in moments.KEYS}
    assert moments.pearson(sums).item() == moments.ccc(sums).item() == 0


def test_the_ends_of_the_scale() -> None:
    y = np.random.default_rng(2).normal(5, 2, 1000)
    for x, sign in ((y, 1), (-y, -1), (3 * y + 1, 1)):
        found = moments.pearson(one(x, y)).item()
        assert abs(found) <= 1
        assert found == pytest.approx(sign, abs=1e-12)
    assert moments.ccc(one(y, y)).item() == pytest.approx(1, abs=1e-12)


def test_small_but_real_spread_is_kept() -> None:
    draw = np.random.default_rng(3)
    y = draw.normal(0, 1, 500)
    x = (0.2 + 1e-4 * y).astype(np.float32).astype(np.float64)
    assert moments.pearson(one(x, y)).item() == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-8)


def test_nothing_is_nan() -> None:
    sums = moments.moments(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.bool))
    for metric in (moments.mae, moments.mse, moments.rmse, moments.pearson, moments.ccc):
        assert metric(sums).isnan().tolist() == [True, True]
