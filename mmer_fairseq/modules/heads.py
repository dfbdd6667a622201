"""What turns one fused vector into outputs."""

from __future__ import annotations

from torch import Tensor, nn

from mmer_fairseq.modules.activations import activation
from mmer_fairseq.modules.dropout import Dropout


class ClassificationHead(nn.Module):
    """dropout → Linear(n, n) → activation → dropout → Linear(n, outputs): RoBERTa's head."""

    def __init__(self, *, dim: int, outputs: int, dropout: float = 0.0, activation_fn: str = "tanh") -> None:
        """Build it.

        Args:
            dim: width of the fused vector.
            outputs: numbers that come out (classes, scores).
            dropout: probability before each of the two layers.
            activation_fn: name of the activation function between them.
        """
        super().__init__()
        self.dropout = Dropout(dropout)
        self.dense = nn.Linear(dim, dim)
        self.activation = activation(activation_fn, "--pooler-activation-fn")
        self.out_proj = nn.Linear(dim, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, D] → [B, C]."""
        x = self.activation(self.dense(self.dropout(x)))
        return self.out_proj(self.dropout(x))
