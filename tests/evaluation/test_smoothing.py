"""The moving average of predicted traces and the choice of its widths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter1d

from mmer_fairseq.evaluation.smoothing import choose_widths, smooth


@pytest.mark.parametrize("width", [1, 3, 9, 25])
def test_inside_it_is_scipys_and_at_the_ends_the_mean_of_what_is_there(width):
    trace = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)).double()
    ours = smooth(trace, [width, 1])
    half = width // 2
    theirs = uniform_filter1d(trace[:, 0].numpy(), width, mode="constant")
    np.testing.assert_allclose(ours[half : 60 - half, 0], theirs[half : 60 - half], atol=1e-12)
    assert ours[0, 0] == pytest.approx(float(trace[: half + 1, 0].mean()))
    assert ours[-1, 0] == pytest.approx(float(trace[59 - half :, 0].mean()))
    assert torch.equal(ours[:, 1], trace[:, 1])


def test_a_constant_and_a_trace_shorter_than_the_width_stay():
    assert torch.allclose(smooth(torch.full((5, 1), 0.7).double(), [257]), torch.full((5, 1), 0.7).double())
    assert smooth(torch.tensor([[1.0]]).double(), [3]).tolist() == [[1.0]]


def test_each_dimension_gets_the_width_with_the_highest_ccc():
    random = np.random.default_rng(1)
    time = np.linspace(0, 20, 400)
    targets, predictions = [], []
    for phase in (0.0, 1.0):
        slow, fast = np.sin(time + phase), random.normal(size=400)
        target = np.stack([slow, fast], axis=1)
        target[50:80] = np.nan
        targets.append(torch.from_numpy(target))
        predictions.append(torch.from_numpy(np.stack([slow + random.normal(0, 1, 400), fast], axis=1)))
    chosen = choose_widths(predictions, targets, (1, 3, 15, 101))
    assert chosen == (15, 1)


def test_without_any_label_nothing_is_smoothed():
    assert choose_widths([torch.zeros(9, 1).double()], [torch.full((9, 1), torch.nan).double()]) == (1,)
