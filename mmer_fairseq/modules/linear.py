"""A linear layer for a handful of rows, such as one query a clip."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Up to this many rows, adding one outer product a row makes the gradient of the weight faster than one matrix
#: product: that is slow at writing a large matrix with so little to sum (1.8 ms against 0.5 ms for 1024×1024 and
#: 4 rows, of a step that reads the matrix in 0.5 ms).
FEW_ROWS = 8


class _FewRows(torch.autograd.Function):
    """``x @ weight.T`` for x [N, in] with small N."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad_x = grad @ weight if ctx.needs_input_grad[0] else None
        grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_weight = torch.outer(grad[0], x[0])
            for row in range(1, len(x)):
                grad_weight = grad_weight.addr_(grad[row], x[row])
        return grad_x, grad_weight


class FewRowsLinear(nn.Linear):
    """``nn.Linear`` with the same numbers and names; cheaper backward for few rows on the CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[…, in] → […, out]."""
        rows = x.numel() // self.in_features
        plain = (
            not 0 < rows <= FEW_ROWS
            or x.device.type != "cpu"
            or x.dtype not in (torch.float32, torch.float64)
            or torch.is_autocast_enabled("cpu")
            or not torch.is_grad_enabled()
        )
        if plain:
            return F.linear(x, self.weight, self.bias)
        y = _FewRows.apply(x.reshape(rows, -1), self.weight)
        y = y if self.bias is None else y + self.bias
        return y.view(*x.shape[:-1], -1)
