"""Stored features pass through unchanged."""

from __future__ import annotations

from torch import Tensor

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.errors import InputError


class Identity(Encoder):
    """The default for features that were extracted before: nothing to learn, nothing to compute."""

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D] → the same."""
        if x.dim() != 3 or x.size(-1) != self.dim:
            raise InputError.of(
                where="batch",
                expected=f"stored features of width {self.dim}",
                found=f"a stream of shape {tuple(x.shape)}",
                remedy="read the feature store that the model was trained with (--features)",
            )
        return x, lengths


def build(spec: StreamSpec, width: int, path: str) -> Identity:
    """Builder for the registry."""
    if spec.dim <= 0:
        raise InputError.of(
            where=f"stream '{spec.modality}'",
            expected="stored features with a width of at least 1",
            found=f"width {spec.dim}",
            remedy="name a feature store that holds vectors",
        )
    return Identity(spec.dim)
