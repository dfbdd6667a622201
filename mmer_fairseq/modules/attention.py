"""Attention within a sequence, and from a few queries to another sequence.

Letters for shapes: B clips, N rows (real steps of all clips), T steps, Q queries, H heads, D query width,
E memory width, d = D / H. No attention here has a key bias: it would add the same number to all scores of a
query, which softmax does not see.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.dropout import dropout
from mmer_fairseq.modules.rows import Rows
from mmer_fairseq.modules.small_heads import attend_small

#: Heads narrower than this are faster by our own function, on the CPU.
_NARROW = 32


class RowAttention(nn.Module):
    """Multi-head attention of a sequence to itself or to another; its projections touch real steps only."""

    def __init__(self, *, dim: int, heads: int, dropout: float = 0.0) -> None:
        """Build it.

        Args:
            dim: D, a multiple of ``heads``; the width of both sequences.
            heads: H.
            dropout: probability of dropping an attention weight in training.
        """
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim, bias=False)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(
        self,
        x: Tensor,
        rows: Rows,
        memory: Tensor | None = None,
        memory_rows: Rows | None = None,
        hidden: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Attend.

        Args:
            x: [N, D], the queries.
            rows: where they lie.
            memory: [M, D], what is attended to (None: ``x``).
            memory_rows: where that lies.
            hidden: BoolTensor [B, T] or [B, Q, T], True where a step is not seen; every query sees one at least. None:
                all real steps are seen.
            causal: query t sees the steps up to t; in place of ``hidden``.

        Returns:
            [N, D].
        """
        if memory is None and not causal and self._folds(x):
            return self._folded(x, rows, rows.padding if hidden is None else hidden)
        memory_rows = rows if memory_rows is None else memory_rows
        where, parts = (rows, memory_rows, memory_rows), self._projected(x, memory)
        q, k, v = (r.unpack(part).unflatten(2, (self.heads, -1)) for r, part in zip(where, parts))
        if hidden is None and not causal:
            hidden = memory_rows.padding
        y = attend(q, k, v, hidden, causal, self.dropout if self.training else 0.0)
        return self.out_proj(rows.pack(y.flatten(2)))

    def _folds(self, x: Tensor) -> bool:
        """Whether two matrices are multiplied before they meet the rows, which saves a product where there are more
        rows than features: x·W_qᵀ·W_k·xᵀ of a single head needs W_qᵀ·W_k alone, and W_o·W_v is one matrix."""
        dropped = self.training and self.dropout > 0.0
        return self.heads == 1 and not dropped and (is_dense() or x.shape[0] > x.shape[1])

    def _folded(self, x: Tensor, rows: Rows, hidden: Tensor | None) -> Tensor:
        asked = rows.unpack(F.linear(x, *folded_query(self.q_proj, self.k_proj)))
        given = rows.unpack(F.linear(x, *folded_value(self.v_proj, self.out_proj)))
        weights = attention_weights(torch.bmm(asked, rows.unpack(x).transpose(1, 2)), hidden, 0.0)
        return rows.pack(torch.bmm(weights, given))

    def _projected(self, x: Tensor, memory: Tensor | None) -> Sequence[Tensor]:
        """Queries, keys and values, in as few products as possible."""
        layers = (self.q_proj, self.k_proj, self.v_proj)
        weights, biases = [layer.weight for layer in layers], [self.q_proj.bias, self.v_proj.bias]
        if memory is not None:
            q, (k, v) = self.q_proj(x), F.linear(memory, torch.cat(weights[1:])).chunk(2, dim=1)
            return q, k, v + biases[1]
        bias = torch.cat([biases[0], torch.zeros_like(biases[0]), biases[1]])
        return F.linear(x, torch.cat(weights), bias).chunk(3, dim=1)


def folded_query(q_proj: nn.Linear, k_proj: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one layer x → W_kᵀ (W_q x + b_q) / √D: times a memory, a single head's scores."""
    scale = k_proj.weight.shape[0] ** -0.5
    w_k = k_proj.weight.t() * scale
    return w_k @ q_proj.weight, w_k @ q_proj.bias


def folded_value(v_proj: nn.Linear, out_proj: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one layer x → W_o (W_v x + b_v) + b_o of a single head without dropout."""
    return out_proj.weight @ v_proj.weight, out_proj.weight @ v_proj.bias + out_proj.bias


def attend(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, causal: bool, p: float) -> Tensor:
    """[B, Q, H, d] and twice [B, T, H, d] → [B, Q, H, d]; the rest as for :class:`RowAttention`."""
    if hidden is not None and hidden.dim() == 2:
        hidden = hidden[:, None]
    if q.device.type == "cpu" and not is_dense() and (p or q.shape[-1] < _NARROW):
        return attend_small(q, k, v, hidden, causal, p)
    seen = None if hidden is None else ~hidden[:, None]
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=p, is_causal=causal)
    return y.transpose(1, 2)


def attention_weights(scores: Tensor, hidden: Tensor | None, p: float) -> Tensor:
    """[B, …, T] scores → attention weights, dropped with probability ``p``."""
    if hidden is not None:
        if hidden.dim() == 2:
            hidden = hidden.view(hidden.shape[0], *[1] * (scores.dim() - 2), -1)
        scores = scores.masked_fill(hidden, float("-inf"))
    return dropout(scores.softmax(dim=-1), p)


class CrossAttention(nn.Module):
    """Multi-head attention from queries of one width to a memory of another.

    Two exact forms; the one with fewer multiplications is chosen per call. *Projected*: keys and values of
    every step, as usual. *Absorbed*: q·(W_k x_t) = (W_kᵀ q)·x_t and Σ_t a_t W_v x_t = W_v Σ_t a_t x_t, per
    head, so the projections meet the queries in place of the steps. With one query, T·H·E multiplications
    remain of T·D·E.
    """

    def __init__(self, *, query_dim: int, memory_dim: int, heads: int, dropout: float = 0.0) -> None:
        """Build it.

        Args:
            query_dim: D, a multiple of ``heads``.
            memory_dim: E.
            heads: H.
            dropout: probability of dropping an attention weight in training.
        """
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.q_proj = nn.Linear(query_dim, query_dim)
        self.k_proj = nn.Linear(memory_dim, query_dim, bias=False)
        self.v_proj = nn.Linear(memory_dim, query_dim)
        self.out_proj = nn.Linear(query_dim, query_dim)

    def absorbs(self, queries: int, steps: int) -> bool:
        """Whether the absorbed form needs fewer multiplications for this many queries and steps."""
        if is_dense():
            return queries == 1
        query_dim, memory_dim = self.k_proj.weight.shape
        absorbed = queries * memory_dim * (query_dim + self.heads * steps)
        return absorbed <= steps * query_dim * (memory_dim + queries)

    def forward(self, query: Tensor, memory: Tensor, padding: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            query: [B, Q, D].
            memory: [B, T, E], finite everywhere.
            padding: BoolTensor [B, T], True where a step is padding, or None when there is no such step. Each
                clip has at least one real step.

        Returns:
            [B, Q, D].
        """
        batch, queries, dim = query.shape
        q = self.q_proj(query).unflatten(2, (self.heads, -1)) * (dim // self.heads) ** -0.5
        p = self.dropout if self.training else 0.0
        attend = self._absorbed if self.absorbs(queries, memory.shape[1]) else self._projected
        return self.out_proj(attend(q, memory, padding, p).reshape(batch, queries, dim))

    def _projected(self, q: Tensor, memory: Tensor, padding: Tensor | None, p: float) -> Tensor:
        k = self.k_proj(memory).unflatten(2, (self.heads, -1))
        v = self.v_proj(memory).unflatten(2, (self.heads, -1))
        weights = attention_weights(torch.einsum("bqhd,bthd->bhqt", q, k), padding, p)
        return torch.einsum("bhqt,bthd->bqhd", weights, v)

    def _absorbed(self, q: Tensor, memory: Tensor, padding: Tensor | None, p: float) -> Tensor:
        batch, queries, heads, width = q.shape
        w_k = self.k_proj.weight.view(heads, width, -1)  # [H, d, E]
        w_v = self.v_proj.weight.view(heads, width, -1)
        asked = torch.bmm(q.permute(2, 0, 1, 3).flatten(1, 2), w_k)  # [H, B·Q, E]
        asked = asked.unflatten(1, (batch, queries)).transpose(0, 1).flatten(1, 2)  # [B, H·Q, E]
        scores = torch.bmm(asked, memory.transpose(1, 2)).unflatten(1, (heads, queries))
        weights = attention_weights(scores, padding, p)
        mixed = torch.bmm(weights.flatten(1, 2), memory).unflatten(1, (heads, queries))  # [B, H, Q, E]
        y = torch.bmm(mixed.transpose(0, 1).flatten(1, 2), w_v.transpose(1, 2))  # [H, B·Q, d]
        y = y.unflatten(1, (batch, queries)).permute(1, 2, 0, 3)  # [B, Q, H, d]
        # Dropped weights no longer sum to 1, and the value bias comes with every weight.
        total = weights.sum(dim=-1).transpose(1, 2)[..., None]  # [B, Q, H, 1]
        return y + total * self.v_proj.bias.view(heads, width)
