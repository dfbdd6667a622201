"""The transformer encoder of MulT: a sequence that looks at itself or, again and again, at another one.

Source: Tsai et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", ACL 2019. Letters for
shapes: B clips, N rows (real steps of all clips), M rows of the memory, D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmer_fairseq.modules.activations import activation
from mmer_fairseq.modules.attention import RowAttention
from mmer_fairseq.modules.dropout import Dropout
from mmer_fairseq.modules.rows import Rows


@dataclass(frozen=True)
class MulTSizes:
    """What all encoders of a network share.

    Attributes:
        dim: D, a multiple of ``heads``.
        heads: attention heads.
        layers: layers of each encoder.
        activation_dropout: probability after the activation function.
        residual_dropout: probability on the output of attention and of the feed-forward part.
        embed_dropout: probability on what comes in, and on the memory.
        activation: name of the activation function.
    """

    dim: int
    heads: int
    layers: int
    activation_dropout: float = 0.1
    residual_dropout: float = 0.1
    embed_dropout: float = 0.25
    activation: str = "relu"


@dataclass(frozen=True)
class Memory:
    """Another sequence that is looked at.

    Attributes:
        x: [M, D].
        rows: where its steps lie; at least one a clip.
        hidden: BoolTensor [B, T] or [B, Q, T], True where a query does not see a step; every query sees one.
        there: FloatTensor [B, 1, 1], 0 for a clip without this sequence, whose queries get zeros; None: all have it.
    """

    x: Tensor
    rows: Rows
    hidden: Tensor | None = None
    there: Tensor | None = None


class MulTLayer(nn.Module):
    """Attention, then feed-forward, each behind a LayerNorm and with a residual.

    Queries and memory pass through the same LayerNorm. With ``mixing``, a residual is α·x + (1 − α)·y with a
    learned α, one for both parts.
    """

    def __init__(self, sizes: MulTSizes, *, attention_dropout: float, mixing: bool) -> None:
        super().__init__()
        dim = sizes.dim
        self.attention = RowAttention(dim=dim, heads=sizes.heads, dropout=attention_dropout)
        self.attention_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)
        self.ffn_norm = nn.LayerNorm(dim)
        self.alpha = nn.Parameter(torch.rand(())) if mixing else None
        self.activation = activation(sizes.activation)
        self.dropout = Dropout(sizes.residual_dropout)
        self.activation_dropout = Dropout(sizes.activation_dropout)
        for layer in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        for projection in (self.attention.q_proj, self.attention.k_proj, self.attention.v_proj):
            nn.init.xavier_uniform_(projection.weight, gain=2**-0.5)  # as torch fills the three in one matrix
        for projection in (self.attention.q_proj, self.attention.v_proj, self.attention.out_proj):
            nn.init.zeros_(projection.bias)

    def forward(self, x: Tensor, rows: Rows, causal: bool, memory: Memory | None = None) -> Tensor:
        """[N, D] → [N, D]."""
        y = self.attention_norm(x)
        if memory is None:
            y = self.attention(y, rows, causal=causal)
        else:
            around = self.attention_norm(memory.x)
            y = self.attention(y, rows, around, memory.rows, hidden=memory.hidden)
            y = y if memory.there is None else y * rows.pack(memory.there.expand(-1, rows.steps, -1))
        return self._after_attention(x, y)

    def last(self, x: Tensor, rows: Rows, last: Tensor) -> Tensor:
        """Only the last step of each clip, at the rows ``last`` [B]: [N, D] → [B, D]. It sees all steps."""
        y = self.attention_norm(x)
        queries = Rows(torch.ones(rows.batch, dtype=torch.long), steps=1)
        y = self.attention(y.index_select(0, last), queries, y, rows)
        return self._after_attention(x.index_select(0, last), y)

    def _after_attention(self, x: Tensor, y: Tensor) -> Tensor:
        x = self._mixed(x, self.dropout(y))
        y = self.activation_dropout(self.activation(self.fc1(self.ffn_norm(x))))
        return self._mixed(x, self.dropout(self.fc2(y)))

    def _mixed(self, x: Tensor, y: Tensor) -> Tensor:
        # no lerp: under autocast x and y are of different types
        return x + y if self.alpha is None else y + self.alpha * (x - y)


class MulTEncoder(nn.Module):
    """Scaling by √D, positions, layers, LayerNorm."""

    def __init__(
        self,
        sizes: MulTSizes,
        *,
        attention_dropout: float = 0.0,
        mixing: bool = False,
        causal: bool = True,
    ) -> None:
        """Build it.

        Args:
            sizes: shared by all encoders of a network.
            attention_dropout: probability of dropping an attention weight.
            mixing: learned residuals, see :class:`MulTLayer`.
            causal: a step sees those up to itself (another sequence's steps are hidden by :class:`Memory`).
        """
        super().__init__()
        self.scale = sizes.dim**0.5
        self.causal = causal
        self.layers = nn.ModuleList(
            MulTLayer(sizes, attention_dropout=attention_dropout, mixing=mixing) for _ in range(sizes.layers)
        )
        self.norm = nn.LayerNorm(sizes.dim)
        self.dropout = Dropout(sizes.embed_dropout)

    def embedded(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """What the layers see of a sequence [N, D]: scaled, with positions, with dropout."""
        x = x * self.scale
        return self.dropout(x if positions is None else x + positions)

    def forward(
        self, x: Tensor, rows: Rows, positions: Tensor | None = None, memory: Memory | None = None
    ) -> Tensor:
        """Run all steps.

        Args:
            x: [N, D].
            rows: where they lie.
            positions: [N, D], added to ``x``.
            memory: another sequence, :meth:`embedded` already (keys and values then share its dropout); None: the
                steps look at each other.

        Returns:
            [N, D].
        """
        x = self.embedded(x, positions)
        for layer in self.layers:
            x = layer(x, rows, self.causal, memory)
        return self.norm(x)

    def last(self, x: Tensor, rows: Rows, last: Tensor, positions: Tensor | None = None) -> Tensor:
        """The last step of each clip after all layers; the last layer runs for it alone.

        Args:
            x: [N, D].
            rows: where they lie.
            last: LongTensor [B], the row of each clip's last step.
            positions: [N, D], added to ``x``.

        Returns:
            [B, D].
        """
        x = self.embedded(x, positions)
        for layer in self.layers[:-1]:
            x = layer(x, rows, self.causal)
        final = self.layers[-1] if len(self.layers) else None
        return self.norm(
            final.last(x, rows, last) if isinstance(final, MulTLayer) else x.index_select(0, last)
        )
