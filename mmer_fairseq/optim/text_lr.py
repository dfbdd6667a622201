"""``--text-lr-factor``: the text encoder learns more slowly than the rest of the model.

Source: Dai et al., NAACL 2021 (MME2E): ALBERT and the text's output layer learn at a tenth of the learning rate.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from mmer_fairseq.errors import InputError

ENCODER = "encoders.encoder.text."
#: Of networks whose modalities have output layers of their own.
HEAD = "network.heads.text."

#: fairseq's own attribute: it hands it on to the single-precision copies that --fp16 trains.
_ATTRIBUTE, _GROUP = "param_group", "text"

logger = logging.getLogger(__name__)


def check_factor(factor: float) -> None:
    """Refuse a factor that is no finite number above 0.

    Raises:
        InputError: naming the flag.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise InputError.of(
            where="--text-lr-factor",
            expected="a number above 0: the text encoder learns at --lr divided by it",
            found=factor,
            remedy="give 10, or leave the flag out",
        )


def mark(model: nn.Module, factor: float) -> None:
    """Mark the parameters of the text encoder, and of the text's own output layer where the network has one.

    Args:
        model: its parameters are named ``encoders.encoder.text.…`` and ``network.heads.text.…``.
        factor: 1 marks nothing.

    Raises:
        InputError: no parameter of the text encoder is trained.
    """
    if factor == 1:
        return
    marked = {
        prefix: [p for name, p in model.named_parameters() if name.startswith(prefix) and p.requires_grad]
        for prefix in (ENCODER, HEAD)
    }
    if not marked[ENCODER]:
        raise InputError.of(
            where=f"--text-lr-factor {factor:g}",
            expected="a text encoder that is trained",
            found="none: the text is not used, is stored features, or its encoder is frozen",
            remedy="leave the flag out, or train the encoder with --finetune text",
        )
    for parameter in marked[ENCODER] + marked[HEAD]:
        setattr(parameter, _ATTRIBUTE, _GROUP)
    number = sum(p.numel() for parameters in marked.values() for p in parameters)
    logger.info("%d parameters of the text encoder learn at --lr / %g", number, factor)


@contextlib.contextmanager
def slowed(optimizer: Any, factor: float) -> Iterator[None]:
    """While it is open, the optimiser's step moves marked parameters at the learning rate divided by ``factor``.

    The optimiser's groups are the same before and after, so that fairseq's schedules set one learning rate and a
    checkpoint of any other factor can be resumed.

    Args:
        optimizer: a ``FairseqOptimizer``.
        factor: 1 changes nothing.

    Raises:
        InputError: the optimiser does not hold the marked parameters.
    """
    if factor == 1:
        yield
        return
    groups = getattr(optimizer.optimizer, "param_groups", [])
    whole = list(groups)
    parts = [_parts(group, factor) for group in whole]
    if not any(slow for _, slow in parts):
        raise InputError.of(
            where=f"--text-lr-factor {factor:g}",
            expected="an optimiser that holds the text encoder's parameters one by one",
            found=f"{type(optimizer).__name__}, which joins all parameters into one",
            remedy="add --fp16-no-flatten-grads, or use --memory-efficient-fp16 or --amp in place of --fp16",
        )
    groups[:] = [part for pair in parts for part in pair if part]
    try:
        yield
    finally:
        for group, pair in zip(whole, parts):
            stepped: dict[str, Any] = pair[0] or pair[1]  # some optimisers count their steps in the group
            group.update({key: value for key, value in stepped.items() if key not in ("params", "lr")})
        groups[:] = whole


def _parts(group: dict[str, Any], factor: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """A group's unmarked and its marked parameters, each as a group; {} where there is none."""
    slow = [p for p in group["params"] if getattr(p, _ATTRIBUTE, None) == _GROUP]
    fast = [p for p in group["params"] if getattr(p, _ATTRIBUTE, None) != _GROUP]
    return (
        {**group, "params": fast} if fast or not slow else {},
        {**group, "params": slow, "lr": group["lr"] / factor} if slow else {},
    )
