"""Any of N labels, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import build
from mmer_fairseq.metrics.multilabel import MultilabelMetrics

NAMES = ("happy", "sad", "angry", "fear", "disgust", "surprise")


def weighted_accuracy(target: np.ndarray, predicted: np.ndarray) -> float:
    positives, negatives = target.sum(), (1 - target).sum()
    hits, rejections = (target * predicted).sum(), ((1 - target) * (1 - predicted)).sum()
    return (hits * negatives / positives + rejections) / (2 * negatives)


def oracle(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    expected: dict[str, float] = {"exact_match": sk.accuracy_score(target, predicted)}
    each: dict[str, list[float]] = {"acc": [], "f1": [], "wf1": [], "wa": [], "recall": [], "precision": []}
    for c in range(target.shape[1]):
        t, p = target[:, c], predicted[:, c]
        each["acc"].append(sk.accuracy_score(t, p))
        each["f1"].append(sk.f1_score(t, p, zero_division=0))
        each["wf1"].append(sk.f1_score(t, p, average="weighted", zero_division=0))
        each["wa"].append(
            weighted_accuracy(t, p) if 0 < t.sum() < len(t) else sk.recall_score(t, p, pos_label=t[0])
        )
        each["recall"].append(sk.recall_score(t, p, zero_division=0))
        each["precision"].append(sk.precision_score(t, p, zero_division=0))
        expected.update({f"{metric}_{NAMES[c]}": values[-1] for metric, values in each.items()})
    names = {"acc": "accuracy", "f1": "f1", "wf1": "weighted_f1", "wa": "weighted_accuracy"}
    return {
        **expected,
        **{names.get(metric, metric): float(np.mean(values)) for metric, values in each.items()},
    }


@pytest.mark.parametrize("objective", ["bce", "binary_softmax"])
@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("clips", [3, 80])
@pytest.mark.parametrize("labels", [1, 3, 6])
def test_as_scikit_learn(labels: int, clips: int, batch: int, objective: str) -> None:
    draw = torch.Generator().manual_seed(labels + clips)
    target = (torch.rand(clips, labels, generator=draw) < 0.3).float()
    target[:, 0] = 1  # a label without any negative clip
    if labels > 1:
        target[:, 1] = 0  # and one without any positive
    scores = torch.randn(clips, labels, 2, generator=draw)
    if objective == "bce":
        scores = scores[..., 1] - scores[..., 0]
    metric = build("multilabel", NAMES[:labels], objective)
    sums = metric.zeros()
    for start in range(0, clips, batch):
        part = slice(start, start + batch)
        sums = {key: sums[key] + value for key, value in metric.sums(scores[part], target[part]).items()}
    found = metric.compute(sums)
    predicted = metric.predict(scores)
    assert predicted.dtype == torch.long
    expected = oracle(target.long().numpy(), predicted.numpy())
    assert tuple(found) == metric.names
    assert found == pytest.approx(expected, abs=1e-12)


def test_predictions() -> None:
    assert build("multilabel", NAMES[:2], "bce").predict(torch.tensor([[0.1, -0.1]])).tolist() == [[1, 0]]
    pairs = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    assert build("multilabel", NAMES[:2], "binary_softmax").predict(pairs).tolist() == [[1, 0]]


def test_what_is_masked_does_not_count() -> None:
    metric = build("multilabel", NAMES[:2], "bce")
    scores, target = torch.tensor([[1.0, -1.0], [float("nan"), 0.0]]), torch.tensor([[1, 0], [7, 1]])
    found = metric.compute(metric.sums(scores, target, torch.tensor([False, True])))
    assert found["exact_match"] == found["accuracy"] == 1.0


def test_no_clip_is_nan() -> None:
    metric = build("multilabel", NAMES[:2], "bce")
    empty = metric.sums(torch.zeros(0, 2), torch.zeros(0, 2))
    assert all(torch.equal(value, metric.zeros()[key]) for key, value in empty.items())
    assert all(math.isnan(value) for value in metric.compute(empty).values())


def test_errors_name_the_rows() -> None:
    metric = build("multilabel", NAMES[:2], "bce")
    target = torch.tensor([[0.0, 1.0], [0.5, 0.0]])
    with pytest.raises(InputError) as error:
        metric.sums(torch.zeros(2, 2), target)
    assert str(error.value) == (
        "the target: expected 0 or 1 for each label; found 0.5 (1 of 4 values, in row 1 of the batch). "
        "Check that the labels and the model are of one label space."
    )
    with pytest.raises(InputError, match=r"the model's output: expected finite numbers; found nan \(4 of 4"):
        metric.sums(torch.full((2, 2), float("nan")), target)
    with pytest.raises(InputError, match=r"the model's output: expected shape \[B, 2\]; found \(2, 3\)"):
        metric.sums(torch.zeros(2, 3), target)
    with pytest.raises(InputError, match=r"the target: expected shape \[3, 2\]; found \(2, 2\)"):
        metric.sums(torch.zeros(3, 2), target)


@pytest.mark.parametrize("objective", ["bce", "binary_softmax"])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_chosen_thresholds_are_those_of_a_search_with_scikit_learn(batch: int, objective: str) -> None:
    draw = torch.Generator().manual_seed(4)
    target = (torch.rand(90, 4, generator=draw) < torch.tensor([0.1, 0.5, 0.9, 0.3])).float()
    scores = torch.randn(90, 4, 2, generator=draw) + target[..., None] * torch.tensor([-0.5, 0.5])
    if objective == "bce":
        scores = scores[..., 1] - scores[..., 0]
    metric = build("multilabel", NAMES[:4], objective)
    assert isinstance(metric, MultilabelMetrics)
    margins, wanted = metric.margins(scores, target)
    p, t = torch.sigmoid(margins).numpy(), wanted.numpy()
    grid = [step / 20 for step in range(1, 20)]
    best = [int(np.argmax([sk.f1_score(t[:, c], p[:, c] > cut) for cut in grid])) for c in range(4)]
    sums = metric.zeros()
    for start in range(0, 90, batch):
        part = slice(start, start + batch)
        sums = {key: sums[key] + value for key, value in metric.sums(scores[part], target[part]).items()}
    chosen = metric.best_thresholds(margins, wanted)
    assert chosen == tuple(grid[place] for place in best)
    assert len(set(chosen)) > 1
    before = metric.compute(sums)
    metric.set_thresholds(chosen)
    predicted = metric.predict(scores)
    assert np.array_equal(predicted.numpy(), p > np.array(chosen))
    sums["exact"] = metric.exact(margins, wanted)
    found = metric.compute(sums)
    assert found == pytest.approx(oracle(target.long().numpy(), predicted.numpy()), abs=1e-12)
    assert found == pytest.approx(metric.compute(metric.sums(scores, target)), abs=1e-12)
    assert all(found[f"f1_{name}"] >= before[f"f1_{name}"] for name in NAMES[:4])


def test_auc_is_that_of_scikit_learn() -> None:
    draw = torch.Generator().manual_seed(5)
    target = (torch.rand(70, 3, generator=draw) < 0.4).float()
    scores = (torch.randn(70, 3, generator=draw) * 3).round()  # with ties
    target[:, 1] = 1
    metric = build("multilabel", NAMES[:3], "bce")
    parts = [metric.margins(scores[rows], target[rows]) for rows in torch.arange(70).split(7)]
    found = metric.compute_ranked(torch.cat([m for m, _ in parts]), torch.cat([w for _, w in parts]))
    assert tuple(found) == metric.ranked_names == ("auc", "auc_happy", "auc_sad", "auc_angry")
    each = [sk.roc_auc_score(target[:, c], scores[:, c]) for c in (0, 2)]
    assert [found["auc_happy"], found["auc_angry"]] == pytest.approx(each, abs=1e-12)
    assert math.isnan(found["auc_sad"])
    assert found["auc"] == pytest.approx(np.mean(each), abs=1e-12)


def test_wrong_thresholds() -> None:
    metric = build("multilabel", NAMES[:2], "bce")
    assert isinstance(metric, MultilabelMetrics)
    for given, shown in (((0.5,), "0.5"), ((0.5, 0.51), "0.5, 0.51"), ((), "none")):
        with pytest.raises(InputError) as error:
            metric.set_thresholds(given)
        assert str(error.value) == (
            "thresholds: expected 2 numbers out of 0.05, 0.1 … 0.95, one for each label; "
            f"found {shown}. Take another checkpoint, or decide at 0.5 with --thresholds 0.5."
        )
