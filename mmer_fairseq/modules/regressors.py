"""One small regressor for each output, all computed at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.dropout import dropout


class Regressors(nn.Module):
    """For each of C outputs Linear(D → H) → ReLU → dropout → Linear(H → 1): [N, D] → [N, C].

    The first index of every parameter is the output.
    """

    def __init__(self, *, dim: int, hidden: int, dropouts: Sequence[float]) -> None:
        """Build them.

        Args:
            dim: D.
            hidden: H.
            dropouts: probability of each output's dropout; there are C of them.
        """
        super().__init__()
        outputs = len(dropouts)
        self.dropouts = tuple(dropouts)
        self.hidden_weight = nn.Parameter(torch.empty(outputs, hidden, dim))
        self.hidden_bias = nn.Parameter(torch.empty(outputs, hidden))
        self.weight = nn.Parameter(torch.empty(outputs, hidden))
        self.bias = nn.Parameter(torch.empty(outputs))
        for parameter, width in zip(self.parameters(), (dim, dim, hidden, hidden)):  # as nn.Linear
            nn.init.uniform_(parameter, -(width**-0.5), width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] → [N, C]."""
        y = F.relu(F.linear(x, self.hidden_weight.flatten(0, 1), self.hidden_bias.flatten()))
        y = y.unflatten(1, self.weight.shape)
        if self.training and any(self.dropouts):
            y = torch.stack([dropout(own, p) for own, p in zip(y.unbind(1), self.dropouts)], dim=1)
        return (y * self.weight).sum(dim=-1) + self.bias


class PooledHead(nn.Module):
    """Linear(D → H) → ReLU → dropout → Linear(H → C): [N, D] → [N, C]."""

    def __init__(self, *, dim: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, hidden)
        self.out_proj = nn.Linear(hidden, outputs)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return self.out_proj(dropout(F.relu(self.dense(x)), self.dropout, self.training))
