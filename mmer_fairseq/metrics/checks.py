"""What every metric asks of its input before it counts anything."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError

# First name: the default. Which losses make sense for which kind of label; scores are read accordingly.
OBJECTIVES: dict[str, tuple[str, ...]] = {
    "classes": ("softmax", "binary_softmax"),
    "multilabel": ("bce", "binary_softmax"),
    "score": ("l1", "mse", "ccc"),
    "trace": ("ccc", "mse", "l1"),
}

_SHOWN = 5


def check_objective(kind: str, objective: str) -> None:
    """Refuse an unknown kind of label, or an objective that does not fit it.

    Raises:
        InputError: ``kind`` is none of ours, or ``objective`` is not one of that kind's.
    """
    if kind not in OBJECTIVES:
        raise InputError.of(
            where="label space",
            expected="a kind out of " + ", ".join(OBJECTIVES),
            found=repr(kind),
            remedy="correct the kind of the label space",
        )
    if objective not in OBJECTIVES[kind]:
        raise InputError.of(
            where="objective",
            expected=f"one that fits labels of kind {kind} ({', '.join(OBJECTIVES[kind])})",
            found=repr(objective),
            remedy="choose one of those, or another label space",
        )


def check_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Refuse empty or repeated label names: metrics are named after them.

    Raises:
        InputError: there is no label, or an empty or repeated one.
    """
    labels = tuple(labels)
    if not labels or "" in labels or len(set(labels)) < len(labels):
        raise InputError.of(
            where="label space",
            expected="one or more different label names",
            found=", ".join(map(repr, labels)) or "none",
            remedy="name each label once",
        )
    return labels


def check_shape(what: str, tensor: Tensor, expected: str, fits: bool) -> None:
    """Raise an InputError that shows ``expected`` (such as ``[B, 4]``) unless ``fits``."""
    if not fits:
        raise InputError.of(
            where=what,
            expected=f"shape {expected}",
            found=f"{tuple(tensor.shape)} of {str(tensor.dtype).replace('torch.', '')}",
            remedy="check that the model was built for these labels and this objective",
        )


def check_values(what: str, wrong: Tensor, values: Tensor, expected: str, remedy: str) -> None:
    """Raise an InputError that counts the wrong values and names their rows, if there are any.

    Args:
        what: what holds the values, such as "the model's output".
        wrong: BoolTensor [B, …].
        values: Tensor of the same shape.
        expected: what would have been right.
        remedy: what to do about it.
    """
    number = int(wrong.sum())
    if not number:
        return
    rows = wrong.reshape(len(wrong), -1).any(dim=1).nonzero().flatten().tolist()
    seen = sorted({str(value) for value in values[wrong].tolist()})
    raise InputError.of(
        where=what,
        expected=expected,
        found=f"{_some(seen)} ({number} of {values.numel()} values, in row {_some(rows)} of the batch)",
        remedy=remedy,
    )


def check_scores(scores: Tensor, kept: Tensor) -> None:
    """Refuse NaN and infinite scores where they count.

    Args:
        scores: FloatTensor [B, …].
        kept: BoolTensor that broadcasts against ``scores``; what is not kept may hold anything.
    """
    check_values(
        "the model's output",
        ~torch.isfinite(scores) & kept,
        scores,
        "finite numbers",
        "lower the learning rate, clip gradients (--clip-norm 1), or leave out --fp16",
    )


def label_scores(scores: Tensor, size: int, *, pairs: bool) -> Tensor:
    """Check the shape of scores for N labels or classes.

    Args:
        scores: FloatTensor [B, N], or for ``pairs`` [B, 2N] or [B, N, 2]: no, yes for each label.
        size: N.
        pairs: whether each label has a no/yes pair.

    Returns:
        float64 CPU tensor [B, N], or [B, N, 2].

    Raises:
        InputError: the shape is another.
    """
    shapes = ((2 * size,), (size, 2)) if pairs else ((size,),)
    expected = " or ".join(f"[B, {', '.join(map(str, shape))}]" for shape in shapes)
    check_shape(
        "the model's output", scores, expected, scores.dim() > 1 and tuple(scores.shape[1:]) in shapes
    )
    return as_double(scores).reshape(-1, size, 2) if pairs else as_double(scores)


def as_double(tensor: Tensor) -> Tensor:
    """Detached copy on the CPU in float64; moved first, as some accelerators have no float64."""
    return tensor.detach().cpu().to(torch.float64)


def keep(mask: Tensor | None, shape: Sequence[int]) -> Tensor:
    """Turn a padding mask into "this value counts".

    Args:
        mask: BoolTensor, ``True`` = padding; of ``shape`` or of its leading dimensions; None: nothing is.
        shape: of the values.

    Returns:
        BoolTensor of ``shape``.
    """
    if mask is None:
        return torch.ones(tuple(shape), dtype=torch.bool)
    mask = mask.detach().cpu()
    fits = mask.dtype == torch.bool and tuple(mask.shape) == tuple(shape)[: mask.dim()]
    check_shape("the mask", mask, f"{list(shape)} or its leading part, of bool", fits)
    return ~mask.reshape(*mask.shape, *([1] * (len(shape) - mask.dim()))).expand(tuple(shape))


def _some(items: Sequence[object]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(map(str, items[:_SHOWN])) + more
