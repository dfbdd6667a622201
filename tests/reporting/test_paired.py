"""The test between two systems: p by hand, parts, Holm."""

from __future__ import annotations

import itertools

import pytest
import torch

from mmer_fairseq.reporting.bootstrap import Units
from mmer_fairseq.reporting.measures import Measure, Statistic
from mmer_fairseq.reporting.paired import differences, flip_test, holm, parts


def share(right: list[int]) -> Statistic:
    hits = torch.tensor(right, dtype=torch.float64)
    return Statistic([Measure("accuracy", "", len(right))], len(right), lambda w: [w @ hits / w.sum(1)])


def test_p_is_that_of_all_flips():
    found = torch.tensor([0.5, 0.3, -0.2, 0.4, 0.1, 0.25, -0.05, 0.35], dtype=torch.float64)[:, None]
    total = abs(float(found.sum()))
    sums = [
        abs(sum(s * float(f) for s, f in zip(signs, found))) for signs in itertools.product((1, -1), repeat=8)
    ]
    exact = sum((s > total + 1e-9) + 0.5 * (abs(s - total) <= 1e-9) for s in sums) / 2**8
    assert float(flip_test(found, flips=20_000)[0]) == pytest.approx(exact, abs=0.01)


def test_systems_that_decide_alike_do_not_differ():
    systems = [("a", share([1, 0, 1, 1])), ("b", share([1, 0, 1, 1]))]
    (found,) = differences(systems, Units.clips(4), [0])
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_parts_sum_up_and_are_the_hits_of_a_share():
    found = parts(share([1, 0, 1, 1]), Units.clips(4))
    torch.testing.assert_close(found[:, 0], torch.tensor([0.25, 0, 0.25, 0.25], dtype=torch.float64))


def test_only_one_unit_cannot_be_tested():
    units = Units.groups("speakers", ["ann"] * 4)
    assert differences([("a", share([1, 0, 1, 1])), ("b", share([0, 0, 1, 1]))], units, [0]) == []


def test_three_systems_are_three_pairs_corrected_by_holm():
    systems = [("a", share([1] * 30)), ("b", share([0] * 12 + [1] * 18)), ("c", share([0] * 8 + [1] * 22))]
    found = differences(systems, Units.clips(30), [0], flips=2000)
    assert [(d.first, d.second) for d in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    expected = holm(torch.tensor([d.p for d in found], dtype=torch.float64))
    assert [d.corrected for d in found] == expected.tolist()
    assert found[0].corrected < 0.01 < found[2].corrected


def test_holm_by_hand():
    p = torch.tensor([0.04, 0.01, 0.03, 0.5])
    assert holm(p).tolist() == pytest.approx([0.09, 0.04, 0.09, 0.5])
