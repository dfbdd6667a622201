"""Transformer layers: attention and feed-forward, each with a residual and a LayerNorm after or before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mmer_fairseq.modules.activations import activation
from mmer_fairseq.modules.attention import CrossAttention, RowAttention
from mmer_fairseq.modules.dropout import Dropout


@dataclass(frozen=True)
class LayerSizes:
    """What all layers of a network share.

    Attributes:
        ffn_dim: width inside the feed-forward part.
        heads: attention heads.
        dropout: probability on the output of attention and of the feed-forward part.
        attention_dropout: probability on attention weights.
        activation_dropout: probability after the activation function.
        activation: name of the activation function.
        normalize_before: LayerNorm before attention and feed-forward (pre-norm), not after the residual.
        norm_eps: what LayerNorm adds to the variance.
    """

    ffn_dim: int
    heads: int
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    activation: str = "gelu"
    normalize_before: bool = False
    norm_eps: float = 1e-5


class TransformerLayer(nn.Module):
    """One layer around either attention of this package. Only the attention sees more than one step."""

    def __init__(self, *, dim: int, sizes: LayerSizes, memory_dim: int | None = None) -> None:
        """Build it.

        Args:
            dim: width of what passes through.
            sizes: the rest.
            memory_dim: width of the sequence attended to; None: the layer attends to its own sequence.
        """
        super().__init__()
        self.normalize_before = sizes.normalize_before
        self.attention: nn.Module
        if memory_dim is None:
            self.attention = RowAttention(dim=dim, heads=sizes.heads, dropout=sizes.attention_dropout)
        else:
            self.attention = CrossAttention(
                query_dim=dim, memory_dim=memory_dim, heads=sizes.heads, dropout=sizes.attention_dropout
            )
        self.attention_norm = nn.LayerNorm(dim, eps=sizes.norm_eps)
        self.fc1 = nn.Linear(dim, sizes.ffn_dim)
        self.fc2 = nn.Linear(sizes.ffn_dim, dim)
        self.ffn_norm = nn.LayerNorm(dim, eps=sizes.norm_eps)
        self.activation = activation(sizes.activation)
        self.dropout = Dropout(sizes.dropout)
        self.activation_dropout = Dropout(sizes.activation_dropout)

    def forward(self, x: Tensor, *around: Any) -> Tensor:
        """Run the layer; its output has the shape of ``x``.

        Args:
            x: rows [N, D] for self-attention, queries [B, Q, D] for cross-attention.
            around: the rest of the attention's arguments: ``rows``, or ``memory`` and its ``padding``.
        """
        if self.normalize_before:
            x = x + self.dropout(self.attention(self.attention_norm(x), *around))
            return x + self._feed_forward(self.ffn_norm(x))
        x = self.attention_norm(x + self.dropout(self.attention(x, *around)))
        return self.ffn_norm(x + self._feed_forward(x))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.fc2(self.activation_dropout(self.activation(self.fc1(x)))))


class LayerStack(nn.Module):
    """Layers one after the other, all with the same surroundings; after pre-norm layers a last LayerNorm."""

    def __init__(self, *, count: int, dim: int, sizes: LayerSizes, memory_dim: int | None = None) -> None:
        """Build ``count`` layers; the other arguments are those of :class:`TransformerLayer`."""
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(dim=dim, sizes=sizes, memory_dim=memory_dim) for _ in range(count)
        )
        self.norm = nn.LayerNorm(dim, eps=sizes.norm_eps) if sizes.normalize_before else nn.Identity()

    def forward(self, x: Tensor, *around: Any) -> Tensor:
        """Run all layers; the arguments are those of :meth:`TransformerLayer.forward`."""
        for layer in self.layers:
            x = layer(x, *around)
        return self.norm(x)
