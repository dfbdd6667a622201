"""Attention within a sequence, and from a few queries to another sequence.

Letters for shapes: B clips, N rows (real steps of all clips), T steps, Q queries, H heads, D query width,
E memory width, d = D / H. No attention here has a key bias: it would add the same number to all scores of a
query, which softmax does not see.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.dropout import dropout
from mmer_fairseq.modules.rows import Rows


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself; its projections touch real steps only."""

    def __init__(self, *, dim: int, heads: int, dropout: float = 0.0) -> None:
        """Build it.

        Args:
            dim: D, a multiple of ``heads``.
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

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        """[N, D] → [N, D]."""
        q, k, v = (
            rows.unpack(proj(x)).unflatten(2, (self.heads, -1))  # [B, T, H, d]
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        p = self.dropout if self.training else 0.0
        if p and x.device.type == "cpu":
            y = _attend_by_head(q, k, v, rows.padding, p)
        else:
            seen = None if rows.padding is None else ~rows.padding[:, None, None, :]
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=p).transpose(1, 2)
        return self.out_proj(rows.pack(y.flatten(2)))


def _attend_by_head(q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None, p: float) -> Tensor:
    """[B, T, H, d] each → [B, T, H, d], dropping weights with probability ``p``.

    torch's fused attention knows no dropout on the CPU. One head at a time keeps the scores in the cache.
    """
    heads = []
    for q_h, k_h, v_h in zip(q.unbind(2), k.unbind(2), v.unbind(2)):
        scores = torch.bmm(q_h * q.shape[-1] ** -0.5, k_h.transpose(1, 2))
        heads.append(torch.bmm(_weights(scores, padding, p), v_h))
    return torch.stack(heads, dim=2)


def _weights(scores: Tensor, padding: Tensor | None, p: float) -> Tensor:
    """[B, …, T] scores → attention weights, dropped with probability ``p``."""
    if padding is not None:
        mask = padding.view(padding.shape[0], *[1] * (scores.dim() - 2), -1)
        scores = scores.masked_fill(mask, float("-inf"))
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
        weights = _weights(torch.einsum("bqhd,bthd->bhqt", q, k), padding, p)
        return torch.einsum("bhqt,bthd->bqhd", weights, v)

    def _absorbed(self, q: Tensor, memory: Tensor, padding: Tensor | None, p: float) -> Tensor:
        batch, queries, heads, width = q.shape
        w_k = self.k_proj.weight.view(heads, width, -1)  # [H, d, E]
        w_v = self.v_proj.weight.view(heads, width, -1)
        asked = torch.bmm(q.permute(2, 0, 1, 3).flatten(1, 2), w_k)  # [H, B·Q, E]
        asked = asked.unflatten(1, (batch, queries)).transpose(0, 1).flatten(1, 2)  # [B, H·Q, E]
        scores = torch.bmm(asked, memory.transpose(1, 2)).unflatten(1, (heads, queries))
        weights = _weights(scores, padding, p)
        mixed = torch.bmm(weights.flatten(1, 2), memory).unflatten(1, (heads, queries))  # [B, H, Q, E]
        y = torch.bmm(mixed.transpose(0, 1).flatten(1, 2), w_v.transpose(1, 2))  # [H, B·Q, d]
        y = y.unflatten(1, (batch, queries)).permute(1, 2, 0, 3)  # [B, Q, H, d]
        # Dropped weights no longer sum to 1, and the value bias comes with every weight.
        total = weights.sum(dim=-1).transpose(1, 2)[..., None]  # [B, Q, H, 1]
        return y + total * self.v_proj.bias.view(heads, width)
