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
    heads = zip(*(x.permute(2, 0, 3, 1).unbind(0) for x in (q * q.shape[-1] ** -0.5, k, v)))
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
    """One head: [B, d, Q], [B, d, T], [B, d, T] → [B, d, Q]."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, causal: bool, p: float
    ) -> Tensor:
        q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        y = torch.empty_like(q)
        saved = [q, k, v]
        for rows, columns in _blocks(q.shape[2], k.shape[2], causal):
            scores = torch.bmm(q[:, :, rows].transpose(1, 2), k[:, :, columns])
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
            y[:, :, rows] = torch.bmm(v[:, :, columns], weights.transpose(1, 2))
        ctx.save_for_backward(*saved)
        ctx.causal, ctx.p = causal, p
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, *rest = ctx.saved_tensors
        kept = iter(rest)
        grad = grad.contiguous()
        grads = [torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)]
        for rows, columns in _blocks(q.shape[2], k.shape[2], ctx.causal):
            weights = next(kept)
            factors = next(kept) if ctx.p else None
            dropped = weights if factors is None else weights * factors
            grads[2][:, :, columns] += torch.bmm(grad[:, :, rows], dropped)
            of_weights = torch.bmm(grad[:, :, rows].transpose(1, 2), v[:, :, columns])
            if factors is not None:
                of_weights *= factors
            of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
            grads[0][:, :, rows] = torch.bmm(k[:, :, columns], of_scores.transpose(1, 2))
            grads[1][:, :, columns] += torch.bmm(q[:, :, rows], of_scores)
        return (*grads, None, None, None)
