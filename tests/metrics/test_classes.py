"""One of C classes, against scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import build
from mmer_fairseq.metrics.base import MetricSet

NAMES = ("neutral", "happy", "angry", "sad", "fear", "disgust", "surprise")


def total(metric: MetricSet, scores, target, batch, mask=None) -> dict[str, float]:
    sums = metric.zeros()
    for start in range(0, len(scores), batch):
        part = slice(start, start + batch)
        counted = metric.sums(scores[part], target[part], None if mask is None else mask[part])
        sums = {key: sums[key] + counted[key] for key in sums}
    return metric.compute(sums)


def oracle(target: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, float]:
    labels = list(range(classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of absent classes
        expected = {
            "accuracy": sk.accuracy_score(target, predicted),
            "uar": sk.balanced_accuracy_score(target, predicted),
            "weighted_f1": sk.f1_score(target, predicted, average="weighted"),
            "macro_f1": sk.f1_score(target, predicted, average="macro"),
        }
        recalls = sk.recall_score(target, predicted, labels=labels, average=None, zero_division=0)
        f1s = sk.f1_score(target, predicted, labels=labels, average=None, zero_division=0)
    expected.update({f"recall_{NAMES[c]}": recalls[c] for c in labels})
    expected.update({f"f1_{NAMES[c]}": f1s[c] for c in labels})
    return expected


@pytest.mark.parametrize("batch", [1, 7, 64])
@pytest.mark.parametrize("clips", [1, 5, 60])
@pytest.mark.parametrize("classes", [1, 2, 4, 7])
def test_as_scikit_learn(classes: int, clips: int, batch: int) -> None:
    # One clip and 7 classes: most classes absent.
    draw = torch.Generator().manual_seed(classes * 100 + clips)
    scores = torch.randn(clips, classes, generator=draw)
    target = torch.randint(classes, (clips,), generator=draw)
    metric = build("classes", NAMES[:classes], "softmax")
    found = total(metric, scores, target, batch)
    expected = oracle(target.numpy(), scores.argmax(dim=1).numpy(), classes)
    assert tuple(found) == metric.names == tuple(expected)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("always", [0, 2])
def test_a_constant_decision_and_absent_classes(always: int) -> None:
    scores = torch.zeros(12, 4)
    scores[:, always] = 1
    target = torch.tensor([0, 1, 1, 0] * 3)  # classes 2 and 3 are not in the target
    found = total(build("classes", NAMES[:4], "softmax"), scores, target, 5)
    assert found == pytest.approx(oracle(target.numpy(), np.full(12, always), 4), abs=1e-12)


def test_what_is_masked_does_not_count() -> None:
    scores = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    target = torch.arange(30) % 3
    mask = torch.arange(30) % 4 == 0
    scores[mask], target[mask] = float("nan"), -1
    found = total(build("classes", NAMES[:3], "softmax"), scores, target, 7, mask)
    expected = oracle(target[~mask].numpy(), scores[~mask].argmax(dim=1).numpy(), 3)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", [(4, 2), (8,)])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_yes_no_pairs(batch: int, layout: tuple[int, ...], dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(3)
    scores = torch.randn(50, 4, 2, generator=draw).to(dtype)
    target = torch.randint(4, (50,), generator=draw)
    metric = build("classes", NAMES[:4], "binary_softmax")
    found = total(metric, scores.reshape(50, *layout), target, batch)
    yes = scores[..., 1].float() > scores[..., 0].float()
    expected = oracle(
        target.numpy(), (scores[..., 1].double() - scores[..., 0].double()).argmax(dim=1).numpy(), 4
    )
    each_acc, each_wf1 = [], []
    for c in range(4):
        wanted = (target == c).numpy()
        each_acc.append(sk.accuracy_score(wanted, yes[:, c].numpy()))
        each_wf1.append(sk.f1_score(wanted, yes[:, c].numpy(), average="weighted"))
        expected[f"acc_{NAMES[c]}"], expected[f"wf1_{NAMES[c]}"] = each_acc[-1], each_wf1[-1]
    expected["binary_accuracy"] = np.mean(each_acc)
    expected["binary_weighted_f1"] = np.mean(each_wf1)
    assert found == pytest.approx(expected, abs=1e-12)
    assert set(metric.names) == set(expected)


def test_predictions() -> None:
    softmax = build("classes", NAMES[:3], "softmax")
    assert softmax.predict(torch.tensor([[0.1, 0.3, 0.2], [1, 1, 0]])).tolist() == [1, 0]
    pairs = build("classes", NAMES[:2], "binary_softmax")
    # The yes of class 0 is larger, its margin over no is not.
    assert pairs.predict(torch.tensor([[5.0, 6.0, 0.0, 3.0]])).tolist() == [1]


def test_no_clip_is_nan() -> None:
    metric = build("classes", NAMES[:3], "binary_softmax")
    empty = metric.sums(torch.zeros(0, 6), torch.zeros(0, dtype=torch.long))
    assert {key: (value.shape, value.dtype) for key, value in empty.items()} == {
        key: (value.shape, torch.float64) for key, value in metric.zeros().items()
    }
    assert all(math.isnan(value) for value in metric.compute(empty).values())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_no_numbers(bad: float) -> None:
    scores = torch.zeros(9, 3)
    scores[2, 1] = scores[2, 2] = scores[5, 0] = bad
    metric = build("classes", NAMES[:3], "softmax")
    with pytest.raises(InputError) as error:
        metric.sums(scores, torch.zeros(9, dtype=torch.long))
    assert str(error.value) == (
        f"the model's output: expected finite numbers; found {bad} (3 of 27 values, in row 2, 5 of the "
        "batch). Lower the learning rate, clip gradients (--clip-norm 1), or leave out --fp16."
    )
    with pytest.raises(InputError, match="expected finite numbers"):
        metric.predict(scores)


def test_targets_outside_the_classes() -> None:
    target = torch.tensor([0, 3, 1, -1])
    with pytest.raises(InputError) as error:
        build("classes", NAMES[:3], "softmax").sums(torch.zeros(4, 3), target)
    assert str(error.value) == (
        "the target: expected class indices from 0 to 2; found -1, 3 (2 of 4 values, in row 1, 3 of the "
        "batch). Check that the labels and the model are of one label space."
    )


def test_many_wrong_rows_are_cut_short() -> None:
    with pytest.raises(InputError, match=r"in row 0, 1, 2, 3, 4 and 15 more of the batch"):
        build("classes", NAMES[:3], "softmax").sums(torch.zeros(20, 3), torch.full((20,), 9))


@pytest.mark.parametrize(
    ("scores", "target", "message"),
    [
        (
            torch.zeros(4, 2),
            torch.zeros(4).long(),
            r"the model's output: expected shape \[B, 3\]; found \(4, 2\)",
        ),
        (torch.zeros(3), torch.zeros(3).long(), r"the model's output: expected shape \[B, 3\]; found \(3,\)"),
        (
            torch.zeros(4, 3),
            torch.zeros(3).long(),
            r"the target: expected shape \[4\] of int64; found \(3,\)",
        ),
        (
            torch.zeros(4, 3),
            torch.zeros(4),
            r"the target: expected shape \[4\] of int64; found \(4,\) of float32",
        ),
    ],
)
def test_wrong_shapes(scores: torch.Tensor, target: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build("classes", NAMES[:3], "softmax").sums(scores, target)


def test_a_wrong_mask() -> None:
    with pytest.raises(InputError, match=r"the mask: expected shape \[4\] or its leading part, of bool"):
        build("classes", NAMES[:3], "softmax").sums(torch.zeros(4, 3), torch.zeros(4).long(), torch.zeros(4))


@pytest.mark.parametrize("objective", ["softmax", "binary_softmax"])
def test_auc_is_one_against_the_rest_as_scikit_learn(objective: str) -> None:
    draw = torch.Generator().manual_seed(8)
    target = torch.randint(4, (60,), generator=draw)
    scores = torch.randn(60, 8 if objective == "binary_softmax" else 4, generator=draw)
    metric = build("classes", NAMES[:4], objective)
    parts = [metric.margins(scores[rows], target[rows]) for rows in torch.arange(60).split(7)]
    found = metric.compute_ranked(torch.cat([m for m, _ in parts]), torch.cat([w for _, w in parts]))
    if objective == "softmax":
        shares = scores.double().softmax(1).numpy()
        expected = sk.roc_auc_score(target, shares, multi_class="ovr", average="macro")
    else:
        shares = scores.double().reshape(60, 4, 2).softmax(-1)[..., 1].numpy()
        expected = np.mean([sk.roc_auc_score(target == c, shares[:, c]) for c in range(4)])
    assert found["auc"] == pytest.approx(expected, abs=1e-12)
    assert found["auc_sad"] == pytest.approx(sk.roc_auc_score(target == 3, shares[:, 3]), abs=1e-12)
