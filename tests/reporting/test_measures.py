"""Metrics with weights: those of the logs, of scikit-learn and of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as oracle

from mmer_fairseq import metrics
from mmer_fairseq.reporting.measures import mean_of, statistic
from mmer_fairseq.reporting.scored import Scored

NAMES = ("calm", "glad", "sad")


def scored(kind: str, seed: int = 0, clips: int = 40) -> Scored:
    random = torch.Generator().manual_seed(seed)
    ids, clip = tuple(f"c{i}" for i in range(clips)), torch.arange(clips)
    scores = torch.rand(clips, 3, generator=random, dtype=torch.float64)
    scores = (scores * 10).round() / 10  # ties
    if kind == "classes":
        target = torch.randint(3, (clips, 1), generator=random).double()
        return Scored(kind, NAMES, ids, clip, target, scores.argmax(1, keepdim=True).double(), scores)
    if kind == "multilabel":
        target = (torch.rand(clips, 3, generator=random) < 0.4).double()
        return Scored(kind, NAMES, ids, clip, target, (scores > 0.45).double(), scores)
    target = 6 * torch.rand(clips, 3, generator=random, dtype=torch.float64) - 3
    guess = 0.5 * target + scores
    if kind == "trace":
        target[::7] = torch.nan
        ids, clip = ids[:10], torch.arange(clips) // 4
    return Scored(kind, NAMES, ids, clip, target, guess, guess)


def values(found) -> dict[str, float]:
    names = [f"{m.metric}_{m.label}" if m.label else m.metric for m in found.measures]
    return dict(zip(names, found.point().tolist()))


@pytest.mark.parametrize("kind", ["classes", "multilabel", "score", "trace"])
def test_they_are_those_of_the_logs(kind):
    data, limits = scored(kind), (-3.0, 3.0)
    found = values(statistic(data, limits))
    logged = metrics.build(kind, NAMES, metrics.OBJECTIVES[kind][0], range=limits)
    if kind == "classes":
        one_hot = torch.nn.functional.one_hot(data.prediction[:, 0].long(), 3).double()
        sums = logged.sums(one_hot, data.target[:, 0].long())
    elif kind == "multilabel":
        sums = logged.sums(data.prediction - 0.5, data.target)
    elif kind == "trace":
        sums = logged.sums(data.prediction[None], data.target[None])
    else:
        sums = logged.sums(data.prediction, data.target)
    expected = logged.compute(sums)
    shared = expected.keys() & found.keys()
    assert {"accuracy", "uar", "f1_sad"} & shared or {"ccc", "rmse_sad"} <= shared
    assert len(shared) >= 10
    for name in shared:
        assert found[name] == pytest.approx(expected[name], abs=1e-12), name


def test_classes_as_scikit_learn():
    data = scored("classes")
    target, decided = data.target[:, 0].numpy(), data.prediction[:, 0].numpy()
    found = values(statistic(data))
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(target, decided))
    assert found["uar"] == pytest.approx(oracle.balanced_accuracy_score(target, decided))
    for name, average in (("weighted_f1", "weighted"), ("macro_f1", "macro")):
        assert found[name] == pytest.approx(oracle.f1_score(target, decided, average=average))
    precision = oracle.precision_score(target, decided, average=None, zero_division=0)
    areas = [oracle.roc_auc_score(target == k, data.scores[:, k]) for k in range(3)]
    for k, name in enumerate(NAMES):
        assert found[f"precision_{name}"] == pytest.approx(precision[k])
        assert found[f"auc_{name}"] == pytest.approx(areas[k])
    assert found["auc"] == pytest.approx(np.mean(areas))


def test_a_weight_is_a_repetition():
    data = scored("classes")
    weights = np.random.default_rng(1).integers(0, 4, len(data.ids))
    target, decided = data.target[:, 0].numpy(), data.prediction[:, 0].numpy()
    found = statistic(data)
    row = dict(
        zip(
            [(m.metric, m.label) for m in found.measures],
            found(torch.tensor(weights[None] * 1.0))[0].tolist(),
        )
    )
    again = np.repeat(target, weights), np.repeat(decided, weights)
    assert row["uar", ""] == pytest.approx(oracle.balanced_accuracy_score(*again))
    area = oracle.roc_auc_score(again[0] == 1, np.repeat(data.scores[:, 1].numpy(), weights))
    assert row["auc", "glad"] == pytest.approx(area)


def test_numbers_as_scipy():
    data = scored("score")
    found = values(statistic(data))
    x, y = data.prediction[:, 1].numpy(), data.target[:, 1].numpy()
    assert found["pearson_glad"] == pytest.approx(stats.pearsonr(x, y).statistic)
    ccc = 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    assert found["ccc_glad"] == pytest.approx(ccc)
    assert found["rmse_glad"] == pytest.approx(np.sqrt(oracle.mean_squared_error(y, x)))
    assert "acc7" not in found  # no range is known


def test_the_mean_over_seeds():
    seeds = [statistic(scored("classes", seed)) for seed in (1, 2)]
    expected = (seeds[0].point() + seeds[1].point()) / 2
    torch.testing.assert_close(mean_of(seeds).point(), expected)
