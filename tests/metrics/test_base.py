"""What holds for every set of metrics."""

from __future__ import annotations

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import OBJECTIVES, build

NAMES = ("anger", "joy", "fear")
EVERY = [(kind, objective) for kind, objectives in OBJECTIVES.items() for objective in objectives]


def draw(kind: str, objective: str, clips: int) -> tuple[torch.Tensor, torch.Tensor]:
    gen = torch.Generator().manual_seed(1)
    width = 6 if objective == "binary_softmax" else 3
    if kind == "classes":
        return torch.randn(clips, width, generator=gen), torch.randint(3, (clips,), generator=gen)
    if kind == "multilabel":
        return torch.randn(clips, width, generator=gen), torch.randint(2, (clips, 3), generator=gen).float()
    shape = (clips, 3) if kind == "score" else (clips, 5, 3)
    target = torch.rand(shape, generator=gen) * 6 - 3
    return target + torch.randn(shape, generator=gen), target


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_neither_batches_nor_their_order_change_a_result(kind: str, objective: str) -> None:
    metric = build(kind, NAMES, objective, range=(-3, 3))
    scores, target = draw(kind, objective, 64)
    whole = metric.compute(metric.sums(scores, target))
    assert all(value == value for value in whole.values())
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    for batch in (1, 7, 64):
        parts = [metric.sums(scores[rows], target[rows]) for rows in order.split(batch)]
        sums = metric.zeros()
        for part in parts:
            sums = {key: sums[key] + part[key] for key in sums}
        assert metric.compute(sums) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_names_are_known_beforehand(kind: str, objective: str) -> None:
    metric = build(kind, NAMES, objective, range=(-3, 3), prefix="a_")
    sums = metric.sums(*draw(kind, objective, 9))
    assert list(sums) == list(metric.zeros())
    assert all(key.startswith("a_") and value.dtype == torch.float64 for key, value in sums.items())
    found = metric.compute({**sums, "other": torch.ones(1)})
    assert tuple(found) == metric.names == tuple(metric.higher_is_better)
    assert all(name.startswith("a_") for name in found)
    plain = build(kind, NAMES, objective, range=(-3, 3))
    assert tuple("a_" + name for name in plain.names) == metric.names


@pytest.mark.parametrize(("kind", "objective"), EVERY)
def test_higher_is_better_is_true(kind: str, objective: str) -> None:
    metric = build(kind, NAMES, objective, range=(-3, 3))
    _, target = draw(kind, objective, 64)
    if kind in ("score", "trace"):
        right, wrong = target, -target
    else:
        wanted = torch.nn.functional.one_hot(target, 3).float() if kind == "classes" else target
        right = wanted * 2 - 1
        if objective == "binary_softmax":
            right = torch.stack([-right, right], dim=-1)
        wrong = -right
    best, worst = (metric.compute(metric.sums(scores, target)) for scores in (right, wrong))
    for name, higher in metric.higher_is_better.items():
        assert (best[name] > worst[name]) == higher
        assert best[name] == pytest.approx(1 if higher else 0, abs=1e-12)


def test_a_graph_is_not_kept() -> None:
    scores = torch.zeros(2, 3, requires_grad=True)
    metric = build("classes", NAMES, "softmax")
    assert not any(value.requires_grad for value in metric.sums(scores, torch.tensor([0, 1])).values())


def test_an_unknown_kind() -> None:
    with pytest.raises(InputError) as error:
        build("class", NAMES, "softmax")
    assert str(error.value) == (
        "label space: expected a kind out of classes, multilabel, score, trace; found 'class'. "
        "Correct the kind of the label space."
    )


def test_an_objective_of_another_kind() -> None:
    with pytest.raises(InputError) as error:
        build("score", NAMES, "bce")
    assert str(error.value) == (
        "objective: expected one that fits labels of kind score (l1, mse, ccc); found 'bce'. "
        "Choose one of those, or another label space."
    )


@pytest.mark.parametrize(("names", "found"), [((), "none"), (("a", "a"), "'a', 'a'"), (("a", ""), "'a', ''")])
def test_wrong_names(names: tuple[str, ...], found: str) -> None:
    with pytest.raises(InputError) as error:
        build("classes", names, "softmax")
    assert str(error.value) == (
        f"label space: expected one or more different label names; found {found}. Name each label once."
    )


def test_names_that_collide() -> None:
    with pytest.raises(InputError, match=r"two metrics called acc2_nonneg, f1_2_nonneg. Rename the label"):
        build("score", ["nonneg", "x"], "l1", range=(-3, 3))
