"""Late fusion: a learned weight for the logits of each modality, the same for all outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class LateFusion(nn.Module):
    """Σ_m w_m · logits_m over the modalities that a clip has: Linear(M → 1) without bias over stacked logits.

    A modality that a clip lacks adds nothing to its sum, and a clip without any gets zeros. The weights start
    uniform in ±1/√M and are not normalised. A single modality has no weight.

    Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its code.
    """

    def __init__(self, modalities: Sequence[str]) -> None:
        """Build it.

        Args:
            modalities: in the order of the weights.
        """
        super().__init__()
        self.modalities = tuple(modalities)
        self.weights = nn.Linear(len(self.modalities), 1, bias=False) if len(self.modalities) > 1 else None

    def forward(self, logits: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> Tensor:
        """Fuse.

        Args:
            logits: modality → [B, C], finite.
            there: modality → BoolTensor [B], whether the clip has it.

        Returns:
            [B, C].
        """
        own = [torch.where(there[m][:, None], logits[m], 0.0) for m in self.modalities]
        return own[0] if self.weights is None else self.weights(torch.stack(own, dim=-1)).squeeze(-1)
