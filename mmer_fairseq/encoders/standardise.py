"""Stored features of any scale → zero mean and unit variance: for vectors that no encoder of ours made."""

from __future__ import annotations

import torch
from torch import Tensor

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.identity import Identity
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.dropout import Dropout

#: In standard deviations. A value of hundreds (a ratio whose denominator is nearly 0) would outshout all others.
_LIMIT = 5.0
#: Below this share of the mean, a deviation is rounding.
_ROUNDING = 1e-6


class Standardise(Identity):
    """Brings each feature to zero mean and unit variance, cuts it at ±5, and drops some in training.

    Hand-made features lie between 1e-6 and 1e6 side by side; without this, the largest ones are all that a
    network sees. The statistics (and the limit) are kept with the weights, so that a trained model takes
    features as they are stored. A constant feature becomes 0.

    Args:
        mean: D numbers, of the training split.
        deviation: D numbers, standard deviations of the training split.
        dropout: probability, on the result.
    """

    mean: Tensor
    scale: Tensor
    limit: Tensor

    def __init__(self, mean: Tensor, deviation: Tensor, dropout: float = 0.1) -> None:
        super().__init__(len(mean))
        constant = deviation <= _ROUNDING * mean.abs()
        scale = torch.where(constant, 0.0, 1.0 / torch.where(constant, 1.0, deviation))
        self.register_buffer("mean", mean.to(torch.get_default_dtype()))
        self.register_buffer("scale", scale.to(torch.get_default_dtype()))
        self.register_buffer("limit", torch.tensor(_LIMIT))
        self.dropout = Dropout(dropout)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D] → [B, T, D]."""
        x, lengths = super().encode(x, lengths)
        return self.dropout(((x - self.mean) * self.scale).clamp(-self.limit, self.limit)), lengths


def build(spec: StreamSpec, width: int, path: str) -> Standardise:
    """Builder for the registry.

    Raises:
        InputError: statistics of another width than the features.
    """
    # a model that is about to load its weights has them there
    mean = torch.tensor(spec.mean or [0.0] * spec.dim, dtype=torch.float64)
    deviation = torch.tensor(spec.deviation or [1.0] * spec.dim, dtype=torch.float64)
    if spec.dim <= 0 or len(mean) != spec.dim or len(deviation) != spec.dim:
        raise InputError.of(
            where=f"stream '{spec.modality}'",
            expected="stored features with a width of at least 1, and a mean and a deviation of each",
            found=f"width {spec.dim}, {len(mean)} means, {len(deviation)} deviations",
            remedy="name a feature store that holds vectors",
        )
    return Standardise(mean, deviation, spec.dropout)
