"""AUC against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import roc_auc_score

from mmer_fairseq.metrics.ranking import auc


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("clips", [2, 9, 500])
def test_as_scikit_learn(clips: int, ties: bool) -> None:
    draw = torch.Generator().manual_seed(clips)
    scores = torch.randn(clips, 5, generator=draw).double()
    scores = scores.round() if ties else scores
    wanted = torch.rand(clips, 5, generator=draw) < 0.3
    wanted[0], wanted[1] = True, False
    expected = [roc_auc_score(wanted[:, c], scores[:, c]) for c in range(5)]
    assert auc(scores, wanted).tolist() == pytest.approx(expected, abs=1e-12)


def test_one_sided_columns_and_no_clip_are_nan() -> None:
    wanted = torch.tensor([[True, False, True], [True, False, False]])
    assert auc(torch.zeros(2, 3).double(), wanted).isnan().tolist() == [True, True, False]
    assert auc(torch.zeros(0, 2).double(), torch.zeros(0, 2) > 0).isnan().all()


def test_huge_scores_keep_their_order() -> None:
    scores = torch.tensor([[1e300], [2e300], [-1e300]]).double()
    assert auc(scores, torch.tensor([[True], [True], [False]])).item() == 1
