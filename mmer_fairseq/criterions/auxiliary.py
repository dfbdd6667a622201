"""The loss of a model with several outputs: what is optimised, beside the loss of what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from mmer_fairseq.errors import InputError

Loss = Callable[[Tensor, Tensor, "Tensor | None"], "tuple[Tensor, int]"]


class Weights(Protocol):
    """See ``EmotionPredictionCriterionConfig``."""

    main_weight: float
    auxiliary_weight: str


def optimised(
    loss_of: Loss,
    predicted: Tensor,
    output: Mapping[str, Any],
    target: Tensor,
    mask: Tensor | None,
    weights: Weights,
) -> Tensor:
    """The weighted sum of the losses of all outputs.

    Args:
        loss_of: (logits, target, mask) → summed loss and the number of its terms.
        predicted: the loss of ``output["logits"]``.
        output: a model's. ``main``: what is trained in place of the prediction, where that is a mean of outputs.
            ``aux``: auxiliary outputs by name. ``aux_votes``: BoolTensor [B] by name, False for clips that an
            auxiliary output knows nothing of: they do not count.
        target: of the batch.
        mask: of traces.
        weights: of the command line.

    Raises:
        InputError: the weights do not fit the outputs.
    """
    main = loss_of(output["main"], target, mask)[0] if "main" in output else predicted
    total = weights.main_weight * main
    auxiliary: Mapping[str, Tensor] = output.get("aux", {})
    each = auxiliary_weights(weights.auxiliary_weight, auxiliary)
    for name, logits in auxiliary.items():
        chosen = output.get("aux_votes", {}).get(name)
        if chosen is None or bool(chosen.all()):
            loss = loss_of(logits, target, mask)[0]
        elif bool(chosen.any()):
            loss = loss_of(logits[chosen], target[chosen], None if mask is None else mask[chosen])[0]
        else:
            loss = 0.0 * logits.sum()  # its parameters take part in every step of every process
        total = total + each[name] * loss
    return total


def auxiliary_weights(text: object, names: Mapping[str, Any]) -> dict[str, float]:
    """The weight of each auxiliary output.

    Args:
        text: ``--auxiliary-weight``: one number for all, or ``audio=0.3,video=0.3``.
        names: the outputs that the model has.

    Raises:
        InputError: not a number, a name that the model does not have, or none for one that it has.
    """
    weights: dict[str, float] = {}
    try:
        if "=" not in str(text):
            weights = dict.fromkeys(names or ("all",), float(str(text)))
        else:
            pairs = [part.partition("=") for part in str(text).split(",")]
            weights = {name.strip(): float(number) for name, _, number in pairs}
            weights = weights if len(weights) == len(pairs) else {}
    except ValueError:
        weights = {}
    right = all(0 <= weight < float("inf") for weight in weights.values())
    if not weights or not right or (names and set(weights) != set(names)):
        raise InputError.of(
            where="--auxiliary-weight",
            expected="a number from 0 on, or one for each auxiliary output "
            f"({','.join(f'{n}=1.0' for n in names) or 'this model has none'})",
            found=repr(str(text)),
            remedy="correct it",
        )
    return weights
