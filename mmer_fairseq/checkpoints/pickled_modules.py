"""Whole models that were pickled: their tensors, without their classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

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


def state_of(module: Any) -> dict[str, Tensor]:
    """The state dict of a pickled module.

    Args:
        module: as :func:`mmer_fairseq.encoders.safe_pickle.load_pickle` gives it, attributes only.

    Returns:
        Name → tensor, parameters and buffers; "module." of a DataParallel is not part of the names.
    """
    found: dict[str, Tensor] = {}
    attributes = vars(module)
    for kind in ("_parameters", "_buffers"):
        for name, value in dict(attributes.get(kind) or {}).items():
            if isinstance(value, Tensor):
                found[name] = value.detach()
    inner = dict(attributes.get("_modules") or {})
    for name, child in inner.items():
        if child is not None:
            found.update({f"{name}.{key}": x for key, x in state_of(child).items()})
    if set(inner) == {"module"} and not any(not name.startswith("module.") for name in found):
        found = {name[len("module.") :]: x for name, x in found.items()}
    return found
