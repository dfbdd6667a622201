"""Weights of the labels from the training split."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from mmer_fairseq.criterions.label_weights import label_weights
from mmer_fairseq.criterions.objectives import class_weights
from mmer_fairseq.errors import InputError


def task(kind="multilabel", objective="bce", labels=(), names=("a", "b", "c"), stored=None, **flags):
    clips = {"train": [SimpleNamespace(label=label) for label in labels]}
    return SimpleNamespace(
        cfg=SimpleNamespace(**{"pos_weight": "none", "class_weight": "none", **flags}),
        labels=SimpleNamespace(kind=kind, names=names, size=len(names)),
        objective=objective,
        corpus=SimpleNamespace(clips=clips.__getitem__),
        label_weights=stored,
    )


def test_no_flag_is_no_weight():
    made = task(stored=[1.0, 2.0, 3.0])
    assert label_weights(made) is None
    assert made.label_weights is None


def test_no_per_yes_of_the_training_split(caplog):
    caplog.set_level(logging.INFO)
    made = task(
        labels=[(1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 0.0)], pos_weight="train"
    )
    assert label_weights(made).tolist() == [3, 1, 1]
    assert made.label_weights == [3, 1, 1]
    assert "weights in the loss, from train: a 3, b 1, c 1" in caplog.text


def test_balanced_classes_as_scikit_learn():
    labels = [0] * 5 + [1] * 2 + [2]
    found = label_weights(task("classes", "softmax", labels, class_weight="balanced"))
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert found.tolist() == pytest.approx(expected.tolist())
    assert found[labels].sum() == pytest.approx(len(labels))


def test_a_class_without_a_clip_does_not_count():
    labels = torch.tensor([0, 0, 2])
    found = class_weights(labels, 4)
    assert found.tolist() == pytest.approx([0.75, 1, 1.5, 1])


def test_those_of_the_checkpoint_count_before_the_corpus():
    made = task(labels=[(1.0, 0.0, 0.0)], stored=[2.0, 4.0, 8.0], pos_weight="train")
    assert label_weights(made).tolist() == [2, 4, 8]


def test_a_flag_for_another_objective():
    with pytest.raises(InputError) as error:
        label_weights(task("classes", "softmax", pos_weight="train"))
    assert str(error.value) == (
        "--pos-weight train: expected the objective bce; found softmax for labels of kind classes. "
        "Leave the flag out, or change --objective or --labels."
    )
    with pytest.raises(
        InputError, match="--class-weight balanced: expected the objective softmax; found bce"
    ):
        label_weights(task(class_weight="balanced"))


def test_an_unknown_value():
    with pytest.raises(InputError) as error:
        label_weights(task(pos_weight="yes"))
    assert str(error.value) == "--pos-weight: expected none or train; found 'yes'. Correct it."
    with pytest.raises(InputError, match="--class-weight: expected none or balanced; found 'train'"):
        label_weights(task("classes", "softmax", class_weight="train"))
