"""What a system hands to ``tests/parity.py``: named pairs of outputs, ours and the original's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.errors import InputError

#: Largest absolute difference allowed, by the type that the original computed in.
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-9}


@dataclass(frozen=True)
class Case:
    """One run of the original on given weights and inputs.

    Attributes:
        name: for the report.
        pairs: output → (ours, the original's).
        tolerance: largest absolute difference allowed.
    """

    name: str
    pairs: dict[str, tuple[Tensor, Tensor]]
    tolerance: float

    def differences(self) -> dict[str, float]:
        """Output → largest absolute difference; infinite where shapes differ or a number is not finite."""
        return {name: _difference(*pair) for name, pair in self.pairs.items()}


def _difference(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape or not (ours.isfinite().all() and theirs.isfinite().all()):
        return float("inf")
    return float((ours.double() - theirs.double()).abs().max()) if ours.numel() else 0.0


def tolerance_of(output: Tensor, where: object) -> float:
    """The tolerance for an output of this type.

    Raises:
        InputError: it is of a type that has none.
    """
    if output.dtype not in TOLERANCES:
        raise InputError.of(
            where=where,
            expected="outputs in float32 or float64",
            found=output.dtype,
            remedy="store what the original computed, unrounded",
        )
    return TOLERANCES[output.dtype]
