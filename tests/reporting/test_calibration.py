"""Reliability curves."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.reporting.calibration import calibration, reliability
from mmer_fairseq.reporting.scored import Scored


def test_by_hand():
    stated = torch.tensor([0.95, 0.95, 1.0, 0.55], dtype=torch.float64)
    found = reliability(stated, torch.tensor([True, True, False, True]))
    assert [(each.count, round(each.right, 3)) for each in found.bins] == [(1, 1.0), (3, 0.667)]
    assert found.error == pytest.approx((1 * 0.45 + 3 * abs(2.9 / 3 - 2 / 3)) / 4)


def one(
    kind: str, scores: list[list[float]], target: list[list[float]], decided: list[list[float]]
) -> Scored:
    ids = tuple(f"c{i}" for i in range(len(scores)))
    sides = (torch.tensor(side, dtype=torch.float64) for side in (target, decided, scores))
    return Scored(kind, ("x", "y"), ids, torch.arange(len(ids)), *sides)


def test_classes_state_the_probability_of_their_decision():
    run = one("classes", [[0.8, 0.2], [0.3, 0.7]], [[0], [0]], [[0], [1]])
    found = calibration([run, run])
    assert found is not None
    assert [(each.count, each.stated, each.right) for each in found.bins] == [
        (2, pytest.approx(0.7), 0.0),
        (2, pytest.approx(0.8), 1.0),
    ]


def test_each_label_states_its_own():
    found = calibration([one("multilabel", [[0.1, 0.9]], [[0, 1]], [[0, 1]])])
    assert found is not None
    assert found.error == pytest.approx(0.1)


def test_numbers_state_none():
    assert calibration([one("score", [[0.1, 0.9]], [[0, 1]], [[0, 1]])]) is None
    assert calibration([one("classes", [[-1.0, 2.0]], [[0]], [[1]])]) is None
