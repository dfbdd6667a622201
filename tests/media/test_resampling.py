"""Other rates."""

from __future__ import annotations

import numpy as np
import pytest

from mmer_fairseq.media.resampling import rate_of, regular, resampled


@pytest.mark.parametrize(("rate", "to_rate", "steps"), [(512, 128, 25), (512, 500, 98), (4, 512, 12800)])
def test_a_constant_stays_one_up_to_its_ends(rate: float, to_rate: float, steps: int) -> None:
    found = resampled(np.full((100, 4), 7.0), rate, to_rate)
    assert found.shape == (steps, 4)
    assert np.abs(found - 7).max() < 1e-3


def test_what_the_lower_rate_cannot_hold_is_filtered_out() -> None:
    times = np.arange(512 * 8) / 512
    fast = np.sin(2 * np.pi * 90 * times)[:, None]
    assert np.abs(resampled(fast, 512, 64)[64:-64]).max() < 1e-3


def test_a_few_steps() -> None:
    assert resampled(np.array([[1.0, 2.0]]), 512, 100).tolist() == pytest.approx(
        np.array([[1.0, 2.0]]), abs=1e-3
    )
    assert resampled(np.array([[1.0], [3.0]]), 1, 2).shape == (4, 1)


def test_one_rate_is_left_alone() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    assert resampled(values, 29.97, 29.97) is values
    assert resampled(values, 511.99, 512) is values
    assert len(resampled(np.zeros((51200, 1)), 511.99, 512)) == 51201


def test_rate_of_times() -> None:
    # the mean, where all periods are nearly the same: written times are rounded
    times = np.round(np.arange(1000) / 3, 4)
    assert rate_of(times) == pytest.approx(3.0, rel=1e-6)
    # the median where there is a gap
    gap = np.concatenate([np.arange(10) / 4, 100 + np.arange(10) / 4])
    assert rate_of(gap) == 4.0


def test_regular() -> None:
    times = np.arange(6) / 2
    values = np.arange(12.0).reshape(6, 2)
    same, rate = regular(values, times)
    assert (same is values, rate) == (True, 2.0)
    keep = [0, 1, 2, 4, 5]
    filled, rate = regular(values[keep], times[keep])
    assert rate == 2.0
    assert filled == pytest.approx(values)
