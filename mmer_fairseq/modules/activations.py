"""Activation functions by the names that fairseq's flags use."""

from __future__ import annotations

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.errors import InputError


def _tanh_gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def _identity(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_accurate": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "leaky_relu": F.leaky_relu,
    "linear": _identity,
    "relu": F.relu,
    "swish": F.silu,
    "tanh": torch.tanh,
}


def activation(name: str, flag: str = "--activation-fn") -> Callable[[Tensor], Tensor]:
    """Look an activation function up.

    Args:
        name: one of ``ACTIVATIONS``. ``gelu`` is the exact one (erf); ``gelu_fast`` and ``gelu_accurate`` are
            its approximation by tanh.
        flag: the flag that the user gave it with, for the message.

    Raises:
        InputError: there is no function of this name.
    """
    if name not in ACTIVATIONS:
        raise InputError.of(
            where=flag,
            expected="one of " + ", ".join(ACTIVATIONS),
            found=repr(name),
            remedy="name one of these",
        )
    return ACTIVATIONS[name]
