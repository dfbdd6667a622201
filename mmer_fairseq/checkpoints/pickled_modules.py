"""Whole models that were pickled: their tensors, without their classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmer_fairseq.errors import InputError

#: Classes of torch that pickled models consist of.
TORCH = (
    "torch.nn.modules.activation.MultiheadAttention",
    "torch.nn.modules.activation.ReLU",
    "torch.nn.modules.container.ModuleList",
    "torch.nn.modules.container.Sequential",
    "torch.nn.modules.conv.Conv1d",
    "torch.nn.modules.dropout.Dropout",
    "torch.nn.modules.linear.Linear",
    "torch.nn.modules.linear.NonDynamicallyQuantizableLinear",
    "torch.nn.modules.linear._LinearWithBias",
    "torch.nn.modules.normalization.LayerNorm",
    "torch.nn.parallel.data_parallel.DataParallel",
)


#: Modules inside modules; real models have a dozen.
_DEPTH = 50


def state_of(module: Any, where: object, depth: int = 0) -> dict[str, Tensor]:
    """The state dict of a pickled module.

    Args:
        module: as :func:`mmer_fairseq.encoders.safe_pickle.load_pickle` gives it, attributes only.
        where: the file, for messages.
        depth: how far inside the whole this one is.

    Returns:
        Name → tensor, parameters and buffers.

    Raises:
        InputError: what should be a module is none, or contains itself.
    """
    found: dict[str, Tensor] = {}
    parts = [getattr(module, kind, {}) or {} for kind in ("_parameters", "_buffers", "_modules")]
    if depth > _DEPTH or not hasattr(module, "_modules") or not all(isinstance(p, Mapping) for p in parts):
        raise InputError.of(
            where=where,
            expected="modules of torch inside each other",
            found="one that contains itself" if depth > _DEPTH else f"a {type(module).__name__} among them",
            remedy="save its state_dict() where it was trained, and name that file",
        )
    for tensors in parts[:2]:
        found.update({str(name): x.detach() for name, x in tensors.items() if isinstance(x, Tensor)})
    for name, child in parts[2].items():
        if child is not None:
            inner = state_of(child, where, depth + 1)
            found.update({f"{name}.{key}": x for key, x in inner.items()})
    return found


def without_wrapper(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors without the "module." that DataParallel puts in front of every name."""
    wrapped = bool(state) and all(name.startswith("module.") for name in state)
    return {name[len("module.") :] if wrapped else name: x for name, x in state.items()}
