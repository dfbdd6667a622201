"""The losses, in plain PyTorch: scores and targets of a batch → a sum and the number of terms in it.

Dividing the sum by the number gives the mean; both add up over batches and machines. Half precision is
widened to float32 first. Which objective fits which label is ``OBJECTIVES`` of :mod:`mmer_fairseq.metrics`.
Letters: B clips, C classes, N labels or columns, T steps of time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics import OBJECTIVES, check_objective

_WEIGHTED = {("classes", "softmax"), ("multilabel", "bce")}
_EPSILON = 1e-8  # of JMT's own CCC loss; keeps 0/0 away when prediction and target are constant


def default_objective(kind: str) -> str:
    """The objective of a label space when none is asked for.

    Raises:
        InputError: the kind is unknown.
    """
    check_objective(kind, OBJECTIVES.get(kind, ("",))[0])
    return OBJECTIVES[kind][0]


def outputs(kind: str, objective: str, n: int) -> int:
    """How many numbers the network gives for each clip (or step of a trace).

    Args:
        kind: of the label space.
        objective: one of that kind's.
        n: classes, labels or columns.

    Raises:
        InputError: the objective does not fit the kind.
    """
    check_objective(kind, objective)
    return 2 * n if objective == "binary_softmax" else n


def positive_weights(targets: Tensor) -> Tensor:
    """Negatives per positive of each label, for ``bce``.

    Args:
        targets: [M, N] of 0 and 1: the training split.

    Returns:
        FloatTensor [N]; 1 for a label that has no positive clip or no negative one.

    Source: Dai et al., NAACL 2021 (MME2E).
    """
    positives = targets.double().sum(dim=0)
    negatives = len(targets) - positives
    usable = (positives > 0) & (negatives > 0)
    return torch.where(usable, negatives / positives.clamp(min=1), torch.ones_like(positives)).float()


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Weights that make every class count the same, for ``softmax``: clips / (classes · clips of the class).

    Their sum over the clips is the number of clips, so that they change no learning rate.

    Args:
        targets: LongTensor [M]: the training split.
        classes: C.

    Returns:
        FloatTensor [C]; 1 for a class without a clip, which is not counted among the classes. As scikit-learn's
        ``compute_class_weight("balanced")``.
    """
    clips = torch.bincount(targets, minlength=classes).double()
    there = clips > 0
    return torch.where(
        there, len(targets) / (there.sum() * clips.clamp(min=1)), torch.ones_like(clips)
    ).float()


def objective(
    kind: str, name: str | None = None, *, weights: Sequence[float] | Tensor | None = None
) -> Objective:
    """The loss of a label space.

    Args:
        kind: classes, multilabel, score or trace.
        name: one of ``OBJECTIVES[kind]``; None: the first.
        weights: softmax: a weight for each class; bce: a weight of the positive clips of each label.

    Raises:
        InputError: the name does not fit the kind, or weights are given to a loss without any, or are not
            finite and positive.
    """
    name = default_objective(kind) if name is None else name
    check_objective(kind, name)
    if weights is None:
        return Objective(kind, name)
    given = torch.as_tensor(weights, dtype=torch.float32)
    if (kind, name) not in _WEIGHTED:
        raise InputError.of(
            where="weights of the labels",
            expected="the objective softmax or bce, which can weigh labels",
            found=f"{name} for labels of kind {kind}",
            remedy="leave the weights out or change the objective",
        )
    if given.dim() != 1 or not bool((given.isfinite() & (given > 0)).all()):
        raise InputError.of(
            where="weights of the labels",
            expected="one finite positive number for each label",
            found=given.tolist(),
            remedy="correct the weights",
        )
    return Objective(kind, name, given)


@dataclass(frozen=True)
class Objective:
    """One loss; made by :func:`objective`."""

    kind: str
    name: str
    weights: Tensor | None = None

    def loss(self, scores: Tensor, target: Tensor, mask: Tensor | None = None) -> tuple[Tensor, int]:
        """Loss of a batch.

        Args:
            scores: the model's output: classes [B, C], multilabel and score [B, N], trace [B, T, N];
                for binary_softmax [B, 2N] or [B, N, 2] (no, yes).
            target: classes LongTensor [B]; multilabel [B, N] of 0 and 1; score [B, N]; trace [B, T, N], NaN
                where there is no label.
            mask: BoolTensor, ``True`` = does not count (padding): [B], for a score also [B, N], for a trace
                also [B, T] and [B, T, N].

        Returns:
            loss summed over all terms (a scalar in float32, with gradient), and the number of terms:
            softmax one for each clip, the others one for each value of the target that counts.
            ``ccc`` is 1 - CCC over all values of the batch, averaged over the columns, times their number.

        Raises:
            InputError: the weights are not one for each label.
        """
        scores = scores if scores.dtype == torch.float64 else scores.float()
        if self.weights is not None and len(self.weights) != scores.shape[-1]:
            raise InputError.of(
                where="weights of the labels",
                expected=f"{scores.shape[-1]} numbers, one for each label",
                found=len(self.weights),
                remedy="correct the weights",
            )
        if self.name in ("softmax", "binary_softmax", "bce"):
            if mask is not None:
                scores, target = scores[~mask], target[~mask]
            terms = self._terms(scores, target)
            return terms.sum(), terms.numel()
        kept = _kept(target, mask)
        if self.kind == "trace":
            kept = kept & ~target.isnan()
        # Out of the sum before the arithmetic: what does not count may be NaN, and so would its gradient be.
        x = scores.masked_fill(~kept, 0)
        y = target.to(scores.dtype).masked_fill(~kept, 0)
        number = int(kept.sum())
        if self.name == "ccc":
            columns = (part.reshape(-1, part.shape[-1]) for part in (x, y, kept))
            return (1 - ccc(*columns)) * number, number
        return (F.l1_loss if self.name == "l1" else F.mse_loss)(x, y, reduction="sum"), number

    def _terms(self, scores: Tensor, target: Tensor) -> Tensor:
        """Loss of each clip, or of each label of each clip."""
        weights = None if self.weights is None else self.weights.to(scores)
        if self.name == "softmax":
            return F.cross_entropy(scores, target, weight=weights, reduction="none")
        if self.name == "bce":
            target = target.to(scores.dtype)
            return F.binary_cross_entropy_with_logits(scores, target, pos_weight=weights, reduction="none")
        if self.kind == "classes":
            target = F.one_hot(target, math.prod(scores.shape[1:]) // 2)
        return F.cross_entropy(scores.reshape(-1, 2), target.long().flatten(), reduction="none")


def fit_steps(logits: Tensor, steps: int) -> Tensor:
    """Bring [B, T, N] to a number of steps: clips without any modality do not tell a model how long they are.

    What is added is 0, which is what a model gives for steps that it has nothing of.
    """
    return F.pad(logits, (0, 0, 0, steps - logits.shape[1]))


def ccc(x: Tensor, y: Tensor, kept: Tensor) -> Tensor:
    """Mean over the columns of the concordance correlation, differentiable everywhere.

    A constant column gives 0 and finite gradients; a column without values is left out of the mean.

    Args:
        x: predictions [M, N].
        y: targets [M, N].
        kept: BoolTensor [M, N]; what counts. x and y must be finite where it does not.

    Returns:
        scalar, -1 … 1.

    Source: Lin, Biometrics 45, 1989. Differs from JMT's loss, which sums over the columns and mixes
    population with sample variances.
    """
    kept = kept.to(x)
    n = kept.sum(dim=0)
    share = kept / n.clamp(min=1)
    mean_x, mean_y = (x * share).sum(dim=0), (y * share).sum(dim=0)
    dx, dy = x - mean_x, y - mean_y
    both = (dx * dy * share).sum(dim=0)
    spread = ((dx * dx + dy * dy) * share).sum(dim=0) + (mean_x - mean_y) ** 2
    used = n > 0
    return (2 * both / (spread + _EPSILON) * used).sum() / used.sum().clamp(min=1)


def _kept(target: Tensor, mask: Tensor | None) -> Tensor:
    """Padding mask → "this term counts", in the shape of the target."""
    if mask is None:
        return torch.ones_like(target, dtype=torch.bool)
    return ~mask.reshape(*mask.shape, *([1] * (target.dim() - mask.dim()))).expand(target.shape)
