"""The losses, against PyTorch's own and plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmer_fairseq.criterions.objectives import ccc, default_objective, objective, outputs, positive_weights
from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import OBJECTIVES, build

EVERY = [(kind, name) for kind, names in OBJECTIVES.items() for name in names]


def draw(kind: str, name: str, clips: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores in float64 and a target for three labels."""
    gen = torch.Generator().manual_seed(seed)
    scores = torch.randn(clips, outputs(kind, name, 3), generator=gen, dtype=torch.float64)
    if kind == "classes":
        return scores, torch.randint(3, (clips,), generator=gen)
    if kind == "multilabel":
        return scores, torch.randint(2, (clips, 3), generator=gen).float()
    shape = (clips, 3) if kind == "score" else (clips, 4, 3)
    return torch.randn(shape, generator=gen, dtype=torch.float64), torch.randn(shape, generator=gen)


def test_softmax() -> None:
    scores, target = draw("classes", "softmax")
    loss, number = objective("classes").loss(scores, target)
    assert number == 6
    torch.testing.assert_close(loss, F.cross_entropy(scores, target, reduction="sum"))
    weights = [0.5, 1.0, 3.0]
    loss, number = objective("classes", "softmax", weights=weights).loss(scores, target)
    expected = -sum(weights[c] * row.log_softmax(0)[c] for row, c in zip(scores, target.tolist()))
    assert number == 6
    torch.testing.assert_close(loss, torch.as_tensor(expected))


@pytest.mark.parametrize("layout", [(6,), (3, 2)])
def test_binary_softmax(layout: tuple[int, ...]) -> None:
    scores, target = draw("classes", "binary_softmax")
    pairs = scores.reshape(6, 3, 2).log_softmax(dim=-1)
    expected = -sum(pairs[b, c, int(target[b] == c)] for b in range(6) for c in range(3))
    loss, number = objective("classes", "binary_softmax").loss(scores.reshape(6, *layout), target)
    assert number == 18
    torch.testing.assert_close(loss, torch.as_tensor(expected))
    same, number = objective("multilabel", "binary_softmax").loss(
        scores.reshape(6, *layout), F.one_hot(target, 3)
    )
    assert number == 18
    torch.testing.assert_close(same, loss)


def test_bce() -> None:
    scores, target = draw("multilabel", "bce")
    weights = torch.tensor([1.0, 2.0, 5.0])
    p = scores.sigmoid()
    for weight, loss in (
        (torch.ones(3), objective("multilabel").loss(scores, target)),
        (weights, objective("multilabel", weights=weights).loss(scores, target)),
    ):
        expected = -(weight * target * p.log() + (1 - target) * (1 - p).log()).sum()
        assert loss[1] == 18
        torch.testing.assert_close(loss[0], expected)


@pytest.mark.parametrize("kind", ["score", "trace"])
def test_l1_and_mse(kind: str) -> None:
    scores, target = draw(kind, "l1")
    for name, expected in (("l1", (scores - target).abs()), ("mse", (scores - target) ** 2)):
        loss, number = objective(kind, name).loss(scores, target)
        assert number == target.numel()
        torch.testing.assert_close(loss, expected.sum())


def test_one_minus_ccc() -> None:
    scores, target = draw("trace", "ccc")
    loss, number = objective("trace").loss(scores, target)
    each = []
    for c in range(3):
        x, y = scores[..., c].flatten().numpy(), target[..., c].double().flatten().numpy()
        each.append(2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2))
    assert number == 72
    assert loss.item() / number == pytest.approx(1 - np.mean(each), abs=1e-7)
    metric = build("trace", ["a", "b", "c"], "ccc")
    assert loss.item() / number == pytest.approx(
        1 - metric.compute(metric.sums(scores, target))["ccc"], abs=1e-7
    )


@pytest.mark.parametrize("name", OBJECTIVES["trace"])
def test_what_does_not_count_in_a_trace(name: str) -> None:
    scores, target = draw("trace", name)
    mask = torch.arange(4) >= torch.tensor([4, 3, 2, 1, 0, 4])[:, None]
    target[1, 0, 2] = float("nan")
    scores[4] = float("nan")  # all of it padding
    kept = ~mask[..., None] & ~target.isnan()
    scores.requires_grad_(True)
    loss, number = objective("trace", name).loss(scores, target, mask)
    assert number == int(kept.sum()) == 14 * 3 - 1
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.isfinite().all()
    assert (gradient[~kept] == 0).all()
    assert (gradient[kept] != 0).any()
    wide, same = objective("trace", name).loss(scores, target, ~kept)
    assert (wide.item(), same) == (loss.item(), number)
    if name != "ccc":
        error = (scores.detach() - target)[kept]
        torch.testing.assert_close(loss.detach(), (error.abs() if name == "l1" else error**2).sum())


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_masked_clips_do_not_count(kind: str, name: str) -> None:
    scores, target = draw(kind, name)
    mask = torch.tensor([False, True, False, False, True, False])
    expected, number = objective(kind, name).loss(scores[~mask], target[~mask])
    scores[mask] = float("nan")
    scores.requires_grad_(True)
    loss, same = objective(kind, name).loss(scores, target, mask)
    assert same == number
    torch.testing.assert_close(loss.detach(), expected)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.isfinite().all()
    assert (gradient[mask] == 0).all()


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_nothing_counts(kind: str, name: str) -> None:
    scores, target = draw(kind, name)
    scores.requires_grad_(True)
    for s, t, mask in ((scores, target, torch.ones(6, dtype=torch.bool)), (scores[:0], target[:0], None)):
        loss, number = objective(kind, name).loss(s, t, mask)
        (gradient,) = torch.autograd.grad(loss, scores, allow_unused=False)
        assert (loss.item(), number) == (0, 0)
        assert (gradient == 0).all()


@pytest.mark.parametrize("value", [0.0, 0.3, 1e4])
@pytest.mark.parametrize("same", [True, False])
def test_ccc_of_a_constant(value: float, same: bool) -> None:
    scores = torch.full((5, 2), value, requires_grad=True)
    target = (
        torch.full((5, 2), value) if same else torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    )
    loss, number = objective("score", "ccc").loss(scores, target)
    assert number == 10
    assert loss.item() == pytest.approx(10, abs=1e-3)
    (gradient,) = torch.autograd.grad(loss, scores)
    assert gradient.isfinite().all()
    assert same or (gradient != 0).any()  # it can leave the constant again


def test_ccc_leaves_out_a_column_without_values() -> None:
    x = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    kept = torch.tensor([True, False]).expand(8, 2)
    assert ccc(x, x, kept).item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_gradients(kind: str, name: str) -> None:
    scores, target = draw(kind, name)
    torch.autograd.gradcheck(lambda s: objective(kind, name).loss(s, target)[0], scores.requires_grad_(True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_half_precision_is_widened(kind: str, name: str, dtype: torch.dtype) -> None:
    scores, target = draw(kind, name, clips=400)
    scores = (scores * 10).to(dtype)
    loss, number = objective(kind, name).loss(scores, target)
    exact, _ = objective(kind, name).loss(scores.double(), target)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)
    assert number == (400 if name == "softmax" else target.numel() * (3 if kind == "classes" else 1))


def test_sums_of_batches_add_up() -> None:
    for kind, name in EVERY:
        if name == "ccc":  # a correlation is of its batch
            continue
        scores, target = draw(kind, name, clips=20)
        whole = objective(kind, name).loss(scores, target)
        parts = [objective(kind, name).loss(s, t) for s, t in zip(scores.split(7), target.split(7))]
        assert whole[1] == sum(number for _, number in parts)
        assert whole[0].item() == pytest.approx(sum(loss.item() for loss, _ in parts), rel=1e-6)


def test_positive_weights() -> None:
    targets = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1]])
    assert positive_weights(targets).tolist() == [3, 1, 1]


def test_defaults_and_outputs() -> None:
    assert {kind: default_objective(kind) for kind in OBJECTIVES} == {
        "classes": "softmax",
        "multilabel": "bce",
        "score": "l1",
        "trace": "ccc",
    }
    assert outputs("classes", "binary_softmax", 4) == outputs("multilabel", "binary_softmax", 4) == 8
    assert (
        outputs("classes", "softmax", 4) == outputs("multilabel", "bce", 4) == outputs("score", "l1", 4) == 4
    )


@pytest.mark.parametrize("call", [default_objective, objective, lambda kind: outputs(kind, "l1", 3)])
def test_an_unknown_kind(call) -> None:
    with pytest.raises(
        InputError, match=r"^label space: expected a kind out of classes, .*; found 'clases'\."
    ):
        call("clases")


def test_an_objective_of_another_kind() -> None:
    message = (
        r"^objective: expected one that fits labels of kind classes \(softmax, binary_softmax\); found "
        r"'l1'\. Choose one of those, or another label space\.$"
    )
    with pytest.raises(InputError, match=message):
        objective("classes", "l1")
    with pytest.raises(InputError, match=message):
        outputs("classes", "l1", 3)


@pytest.mark.parametrize("weights", [[1.0, 0.0], [1.0, -2.0], [1.0, float("nan")], [[1.0]]])
def test_wrong_weights(weights: list) -> None:
    with pytest.raises(
        InputError, match=r"^weights of the labels: expected one finite positive number for each "
    ):
        objective("classes", "softmax", weights=weights)


def test_weights_of_another_number() -> None:
    with pytest.raises(InputError) as error:
        objective("classes", "softmax", weights=[1.0, 2.0]).loss(torch.zeros(4, 3), torch.zeros(4).long())
    assert str(error.value) == (
        "weights of the labels: expected 3 numbers, one for each label; found 2. Correct the weights."
    )


def test_weights_for_a_loss_without_any() -> None:
    with pytest.raises(InputError) as error:
        objective("score", "l1", weights=[1.0])
    assert str(error.value) == (
        "weights of the labels: expected the objective softmax or bce, which can weigh labels; "
        "found l1 for labels of kind score. Leave the weights out or change the objective."
    )
