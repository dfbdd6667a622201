"""Attention on the CPU for narrow heads and for dropped weights, which torch's fused attention is slow at or lacks.

A matrix product with a narrow result (steps × a head's 5 numbers) runs at a fifth of the speed of its
transpose, and autograd cannot be told to compute the transpose: hence a function of our own. Scores are made
for one head at a time, which keeps them in the cache, and for causal attention in blocks of queries, which
leaves out most of what is hidden.

Letters for shapes: B clips, Q queries, T steps, H heads, d numbers a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmer_fairseq.modules.dropout import dropout_factors

#: Queries in a block of causal attention.
_BLOCK = 32


def attend_small(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, causal: bool, p: float) -> Tensor:
    """Attend, dropping weights with probability ``p``.

    Args:
        q: [B, Q, H, d].
        k, v: [B, T, H, d].
        hidden: BoolTensor [B, Q, T] or [B, 1, T], True where a step is not seen; every query sees one at least.
        causal: query t sees the steps up to t; then Q = T and there is no ``hidden``.
        p: below 1.

    Returns:
        [B, Q, H, d].
    """
    heads = zip(*(x.unbind(2) for x in (q * q.shape[-1] ** -0.5, k, v)))  # no copies: products take strides
    outputs = [_Head.apply(*head, hidden, causal, p) for head in heads]  # [B, d, Q] each
    return torch.stack(outputs, dim=1).permute(0, 3, 1, 2)


def _blocks(queries: int, steps: int, causal: bool) -> Iterator[tuple[slice, slice]]:
    """Queries and the steps that they may see."""
    if not causal:
        yield slice(0, queries), slice(0, steps)
        return
    for start in range(0, queries, _BLOCK):
        end = min(start + _BLOCK, queries)
        yield slice(start, end), slice(0, end)


class _Head(torch.autograd.Function):
    """One head: [B, Q, d], [B, T, d], [B, T, d] → [B, d, Q]."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, causal: bool, p: float
    ) -> Tensor:
        y, saved = [], [q, k, v]
        for rows, columns in _blocks(q.shape[1], k.shape[1], causal):
            scores = torch.bmm(q[:, rows], k[:, columns].transpose(1, 2))
            if hidden is not None:
                scores.masked_fill_(hidden, float("-inf"))
            if causal:
                size = rows.stop - rows.start
                ahead = torch.ones(size, size, dtype=torch.bool).triu_(1)
                scores[:, :, rows].masked_fill_(ahead, float("-inf"))
            weights = scores.softmax(dim=-1)
            saved.append(weights)
            if p:
                factors = dropout_factors(weights, p)
                saved.append(factors)
                weights = weights * factors
            y.append(torch.bmm(v[:, columns].transpose(1, 2), weights.transpose(1, 2)))
        ctx.save_for_backward(*saved)
        ctx.causal, ctx.p = causal, p
        return torch.cat(y, dim=2)

    @staticmethod
    @once_differentiable
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        q, k, v, *rest = ctx.saved_tensors
        kept = iter(rest)
        of_q, of_k, of_v = [], k.new_zeros(k.mT.shape), v.new_zeros(v.mT.shape)
        for rows, columns in _blocks(q.shape[1], k.shape[1], ctx.causal):
            weights = next(kept)
            factors = next(kept) if ctx.p else None
            dropped = weights if factors is None else weights * factors
            of_y = grad[:, :, rows]
            of_v[:, :, columns] += torch.bmm(of_y, dropped)
            of_weights = torch.bmm(of_y.transpose(1, 2), v[:, columns].transpose(1, 2))
            if factors is not None:
                of_weights *= factors
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            of_q.append(torch.bmm(k[:, columns].transpose(1, 2), of_scores.transpose(1, 2)))
            of_k[:, :, columns] += torch.bmm(q[:, rows].transpose(1, 2), of_scores)
        of_all = (torch.cat(of_q, dim=2), of_k, of_v)  # [B, d, …] each
        return (*(x.transpose(1, 2) for x in of_all), None, None, None)
