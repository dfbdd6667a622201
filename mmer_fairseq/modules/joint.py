"""Attention of one sequence to several, and the fusion of a few tokens of each step into one vector.

Letters for shapes: B clips, S steps, N real steps of all clips, K tokens of a step, M memories, D width, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.attention import (
    CrossAttention,
    attend,
    attention_weights,
    folded_query,
    folded_value,
)
from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.rows import Rows


class SharedAttention(nn.Module):
    """Multi-head attention from one sequence to several others, each by itself; the queries are projected once."""

    def __init__(self, *, dim: int, heads: int) -> None:
        """Build it.

        Args:
            dim: D of all sequences, a multiple of ``heads``.
            heads: H.
        """
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim, bias=False)  # softmax does not see a key bias
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, memories: Sequence[Tensor], rows: Rows) -> Sequence[Tensor]:
        """Attend.

        Args:
            x: [N, D], the queries.
            memories: M times [N, D].
            rows: where all of them lie.

        Returns:
            M times [N, D].
        """
        crossed = self._single(x, memories, rows) if self.heads == 1 else self._several(x, memories, rows)
        if is_dense():
            return crossed.unflatten(0, (len(memories), x.shape[0])).unbind(0)
        return crossed.chunk(len(memories))

    def _single(self, x: Tensor, memories: Sequence[Tensor], rows: Rows) -> Tensor:
        """One head needs no keys and values: W_k meets the queries, W_v what was mixed of the memory."""
        if is_dense() or x.shape[0] >= x.shape[1]:  # fewer features than rows: the matrices meet first
            asked = F.linear(x, *folded_query(self.q_proj, self.k_proj))
        else:
            asked = (self.q_proj(x) @ self.k_proj.weight) * x.shape[1] ** -0.5
        asked = rows.unpack(asked)
        mixed = []
        for memory in map(rows.unpack, memories):
            weights = attention_weights(torch.bmm(asked, memory.transpose(1, 2)), rows.padding, 0.0)
            mixed.append(rows.pack(torch.bmm(weights, memory)))
        y = torch.cat(mixed)
        if is_dense() or y.shape[0] > y.shape[1]:
            return F.linear(y, *folded_value(self.v_proj, self.out_proj))
        return self.out_proj(self.v_proj(y))

    def _several(self, x: Tensor, memories: Sequence[Tensor], rows: Rows) -> Tensor:
        q = rows.unpack(self.q_proj(x)).unflatten(2, (self.heads, -1))
        weight = torch.cat([self.k_proj.weight, self.v_proj.weight])
        bias = torch.cat([torch.zeros_like(self.v_proj.bias), self.v_proj.bias])
        crossed = []
        for memory in memories:
            parts = F.linear(memory, weight, bias).chunk(2, dim=1)
            k, v = (rows.unpack(part).unflatten(2, (self.heads, -1)) for part in parts)
            crossed.append(rows.pack(attend(q, k, v, rows.padding, False, 0.0).flatten(2)))
        return self.out_proj(torch.cat(crossed))


class TokenFusion(nn.Module):
    """Transformer layers over the tokens of each step, then attention of the last token to all: [N, K, D] → [N, D]."""

    def __init__(self, *, dim: int, sizes: LayerSizes, layers: int) -> None:
        """Build it; ``layers`` of these sizes come before the last attention."""
        super().__init__()
        self.encoder = LayerStack(count=layers, dim=dim, sizes=sizes)
        self.attention = CrossAttention(query_dim=dim, memory_dim=dim, heads=sizes.heads)

    def forward(self, tokens: Tensor, absent: Tensor | None = None) -> Tensor:
        """Fuse.

        Args:
            tokens: [N, K, D], finite everywhere.
            absent: BoolTensor [N, K], True where a token is not to be seen; each step has one that is. The last of
                these asks. None: all are seen.

        Returns:
            [N, D].
        """
        count, width, _ = tokens.shape
        rows = Rows(torch.full((count,), width), steps=width)
        x = self.encoder(tokens.flatten(0, 1), rows, None, None, absent).view_as(tokens)
        last = x[:, -1:]
        if absent is not None:
            place = torch.arange(width, device=x.device).masked_fill(absent, -1).amax(dim=1)
            last = x.gather(1, place[:, None, None].expand(-1, 1, x.shape[2]))
        return self.attention(last, x, absent)[:, 0]
