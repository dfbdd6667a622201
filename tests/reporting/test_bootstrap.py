"""Intervals: their edges, their units, their standard error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mmer_fairseq.reporting.bootstrap import Units, estimate, resampled, standard_error
from mmer_fairseq.reporting.measures import Measure, Statistic


def share(right: list[bool]) -> Statistic:
    hits = torch.tensor(right, dtype=torch.float64)
    return Statistic([Measure("accuracy", "", len(right))], len(right), lambda w: [w @ hits / w.sum(1)])


def test_the_standard_error_of_a_share_is_that_of_theory():
    right = np.random.default_rng(0).random(80) < 0.7
    samples = resampled(share(right.tolist()), Units.clips(80), draws=4000, seed=1)
    expected = np.std(right, ddof=1) / math.sqrt(80)
    assert float(standard_error(samples, 80)) == pytest.approx(expected, rel=0.04)


def test_nothing_but_right_decisions_still_leave_a_doubt():
    (found,) = estimate(share([True] * 20))
    assert (found.value, found.high) == (1.0, 1.0)
    t = stats.t.ppf(0.975, 19)
    assert found.low == pytest.approx(1 / (1 + t * t / 20))  # Wilson's


def test_one_unit_has_no_interval():
    (found,) = estimate(share([True, False]), Units.groups("speakers", ["ann", "ann"]))
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_clips_of_one_speaker_are_drawn_together():
    units = Units.groups("speakers", ["ann", "bob", "ann", "", ""])
    assert units.size == 4  # a clip without a speaker is by itself
    assert units.of.tolist() == [0, 1, 0, 2, 3]
    assert units.spread(torch.tensor([[2.0, 0.0, 1.0, 1.0]])).tolist() == [[2, 0, 2, 1, 1]]
    assert units.subset(torch.tensor([1, 3])).of.tolist() == [0, 1]


def test_a_speaker_for_whom_nothing_works_widens_the_interval():
    right = [False] * 30 + [True] * 90
    clips = estimate(share(right))[0]
    speakers = estimate(share(right), Units.groups("speakers", [f"s{i // 30}" for i in range(120)]))[0]
    assert speakers.high - speakers.low > 2 * (clips.high - clips.low)


def test_the_same_seed_gives_the_same_numbers_and_samples_that_are_cut_do_too(monkeypatch):
    from mmer_fairseq.reporting import bootstrap

    whole = estimate(share([True, False] * 20), draws=300)
    monkeypatch.setattr(bootstrap, "CELLS", 40 * 70)
    assert estimate(share([True, False] * 20), draws=300) == whole


@pytest.mark.parametrize(("metric", "value"), [("ccc", 1.0), ("rmse", 0.0)])
def test_perfect_predictions(metric, value):
    constant = Statistic([Measure(metric, "", 10)], 10, lambda w: [torch.full((len(w),), value).double()])
    (found,) = estimate(constant)
    assert (found.low, found.high) == pytest.approx((value, value))
