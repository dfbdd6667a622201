"""Scores and traces, against SciPy and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import build
from mmer_fairseq.metrics.base import MetricSet


def total(metric: MetricSet, batches) -> dict[str, float]:
    sums = metric.zeros()
    for batch in batches:
        sums = {key: sums[key] + value for key, value in metric.sums(*batch).items()}
    return metric.compute(sums)


def oracle(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    covariance = np.mean((x - x.mean()) * (y - y.mean()))
    return {
        "mae": sk.mean_absolute_error(y, x),
        "mse": sk.mean_squared_error(y, x),
        "rmse": sk.root_mean_squared_error(y, x),
        "pearson": stats.pearsonr(x, y).statistic,
        "ccc": 2 * covariance / (x.var() + y.var() + (x.mean() - y.mean()) ** 2),
    }


def sentiment_oracle(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    signed = y != 0
    return {
        "acc7": sk.accuracy_score(np.round(np.clip(y, -3, 3)), np.round(np.clip(x, -3, 3))),
        "acc5": sk.accuracy_score(np.round(np.clip(y, -2, 2)), np.round(np.clip(x, -2, 2))),
        "acc2": sk.accuracy_score(y[signed] > 0, x[signed] > 0),
        "f1_2": sk.f1_score(y[signed] > 0, x[signed] > 0, average="weighted"),
        "acc2_nonneg": sk.accuracy_score(y >= 0, x >= 0),
        "f1_2_nonneg": sk.f1_score(y >= 0, x >= 0, average="weighted"),
    }


def sentiment(clips: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(clips)
    target = (torch.rand(clips, 1, generator=draw) * 18 - 9).round() / 3  # thirds, and zeros
    scores = target + torch.randn(clips, 1, generator=draw)
    scores[:4, 0] = torch.tensor([0.5, -1.5, 5.0, 0.0])  # halves round to even; outside the range; zero
    return scores.to(dtype), target


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_sentiment(batch: int, dtype: torch.dtype) -> None:
    scores, target = sentiment(90, dtype)
    metric = build("score", ["sentiment"], "l1", range=(-3, 3))
    found = total(metric, zip(scores.split(batch), target.split(batch)))
    x, y = scores.double().numpy()[:, 0], target.double().numpy()[:, 0]
    expected = {**oracle(x, y), **sentiment_oracle(x, y)}
    assert tuple(found) == metric.names == tuple(expected)
    assert found == pytest.approx(expected, abs=1e-9)


def test_eval_matric_leaves_zeros_out() -> None:
    scores, target = sentiment(90)
    metric = build("score", ["sentiment"], "l1", range=(-3, 3), eval_matric=True)
    found = total(metric, [(scores, target)])
    signed = target[:, 0] != 0
    assert 0 < signed.sum() < 90
    x, y = scores.double().numpy()[signed, 0], target.double().numpy()[signed, 0]
    assert found == pytest.approx({**oracle(x, y), **sentiment_oracle(x, y)}, abs=1e-9)


def test_a_sentiment_split_without_any_sign() -> None:
    metric = build("score", ["sentiment"], "l1", range=(-3, 3))
    found = metric.compute(metric.sums(torch.ones(3, 1), torch.zeros(3, 1)))
    assert math.isnan(found["acc2"])
    assert math.isnan(found["f1_2"])
    assert found["acc2_nonneg"] == 1
    assert found["pearson"] == found["ccc"] == 0


@pytest.mark.parametrize("limits", [None, (0, 10), (-1, 1)])
def test_other_ranges_have_no_sentiment_metrics(limits: tuple[float, float] | None) -> None:
    assert build("score", ["x"], "l1", range=limits).names == ("mae", "mse", "rmse", "pearson", "ccc")
    assert build("trace", ["x"], "ccc", range=(-3, 3)).names == ("mae", "mse", "rmse", "pearson", "ccc")


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_several_columns(batch: int) -> None:
    draw = torch.Generator().manual_seed(5)
    target = torch.rand(70, 3, generator=draw) * torch.tensor([1.0, 4.0, 0.01]) + 1
    scores = target + torch.randn(70, 3, generator=draw) * torch.tensor([1.0, 0.1, 0.01])
    names = ("valence", "arousal", "dominance")
    metric = build("score", names, "mse", range=(1, 5))
    found = total(metric, zip(scores.split(batch), target.split(batch)))
    each = [oracle(scores[:, c].double().numpy(), target[:, c].double().numpy()) for c in range(3)]
    expected = {metric: float(np.mean([column[metric] for column in each])) for metric in each[0]}
    expected.update({f"{m}_{name}": column[m] for name, column in zip(names, each) for m in column})
    assert found == pytest.approx(expected, abs=1e-9)
    assert metric.higher_is_better == {
        name: name.split("_")[0] in ("pearson", "ccc") for name in metric.names
    }


def trace(seed: int, clips: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Clips [T, 2] of 0 … 39 steps: scores, targets with holes, and what is valid by the clip's length."""
    draw = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(clips):
        steps = int(torch.randint(0, 40, (), generator=draw))
        target = torch.rand(steps, 2, generator=draw) * 2 - 1
        scores = 0.7 * target + 0.3 * torch.randn(steps, 2, generator=draw)
        target[torch.rand(steps, 2, generator=draw) < 0.2] = float("nan")
        made.append((scores, target, torch.zeros(steps, dtype=torch.bool)))
    return made


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_traces(batch: int, wide: bool) -> None:
    clips = trace(0, 30)
    batches = []
    for start in range(0, len(clips), batch):
        # Padding holds NaN scores and ordinary targets: neither may count.
        scores, target, mask = (
            torch.nn.utils.rnn.pad_sequence(list(part), batch_first=True, padding_value=pad)
            for part, pad in zip(zip(*clips[start : start + batch]), (float("nan"), 0.5, True))
        )
        batches.append((scores, target, mask[..., None].expand_as(target) if wide else mask))
    metric = build("trace", ("valence", "arousal"), "ccc", range=(-1, 1))
    found = total(metric, batches)
    x, y = (torch.cat([clip[i] for clip in clips]).double().numpy() for i in (0, 1))
    each = []
    for c in range(2):
        valid = ~np.isnan(y[:, c])
        each.append(oracle(x[valid, c], y[valid, c]))
    expected = {m: float(np.mean([column[m] for column in each])) for m in each[0]}
    expected.update({f"{m}_{name}": col[m] for name, col in zip(("valence", "arousal"), each) for m in col})
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_column_without_values_is_left_out_of_the_mean() -> None:
    target = torch.tensor([[[0.1, float("nan")], [0.5, float("nan")]]])
    metric = build("trace", ("valence", "arousal"), "ccc")
    found = metric.compute(metric.sums(target.nan_to_num(0), target))
    assert found["ccc_valence"] == found["ccc"] == pytest.approx(1)
    assert math.isnan(found["ccc_arousal"])


def test_no_clip_is_nan() -> None:
    for kind, shape in (("score", (0, 2)), ("trace", (0, 5, 2)), ("trace", (3, 0, 2))):
        metric = build(kind, ("a", "b"), "l1", range=(-3, 3))
        empty = metric.sums(torch.zeros(shape), torch.zeros(shape))
        assert all(torch.equal(value, metric.zeros()[key]) for key, value in empty.items())
        assert all(math.isnan(value) for value in metric.compute(empty).values())


def test_predictions_are_the_scores() -> None:
    scores = torch.randn(2, 4, 1)
    assert torch.equal(build("trace", ["x"], "ccc").predict(scores), scores.double())


def test_errors_name_the_rows() -> None:
    metric = build("score", ["sentiment"], "l1")
    with pytest.raises(
        InputError, match=r"the model's output: expected finite numbers; found nan \(1 of 3 values"
    ):
        metric.sums(torch.tensor([[0.0], [float("nan")], [1.0]]), torch.zeros(3, 1))
    with pytest.raises(InputError) as error:
        metric.sums(torch.zeros(3, 1), torch.tensor([[0.0], [1.0], [float("nan")]]))
    assert str(error.value) == (
        "the target: expected finite numbers; found nan (1 of 3 values, in row 2 of the batch). "
        "Correct the labels."
    )
    with pytest.raises(InputError, match=r"expected shape \[B, 1\]; found \(3,\)"):
        metric.sums(torch.zeros(3), torch.zeros(3))
    with pytest.raises(InputError, match=r"expected shape \[B, T, 1\]; found \(3, 1\)"):
        build("trace", ["x"], "ccc").sums(torch.zeros(3, 1), torch.zeros(3, 1))
    with pytest.raises(InputError, match=r"the target: expected shape \[3, 1\]; found \(3,\)"):
        metric.sums(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(InputError, match=r"the target: expected finite numbers; found inf"):
        build("trace", ["x"], "ccc").sums(torch.zeros(1, 2, 1), torch.full((1, 2, 1), float("inf")))
