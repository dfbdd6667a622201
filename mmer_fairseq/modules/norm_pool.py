"""Batch norm, ReLU and halving in one, without maps of the full size but the one that comes in."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class NormReluPool(nn.BatchNorm2d):
    """Batch norm, ReLU, 2×2 maximum: [N, C, H, W] → [N, C, H/2, W/2].

    Norm and ReLU keep the order of a channel's numbers (a negative weight turns it around), so the maximum can be taken
    first, and all else is done on a quarter of the numbers. Only the statistics are those of the full map.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        if self.training:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            with torch.autocast(x.device.type, enabled=False):
                return _NormReluPool.apply(x, self.weight, self.bias, self)
        return F.max_pool2d(F.relu(super().forward(x), inplace=True), 2)


class _NormReluPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        weight, bias = weight.to(x.dtype), bias.to(x.dtype)
        mean, variance = torch.batch_norm_update_stats(
            x, norm.running_mean, norm.running_var, norm.momentum or 0.0
        )
        inverse = (variance + norm.eps).rsqrt().to(x.dtype)
        mean = mean.to(x.dtype)
        turned = bool((weight < 0).any())
        sign = torch.where(weight < 0, -1.0, 1.0).to(x.dtype)[:, None, None]
        largest, where = F.max_pool2d(x * sign if turned else x, 2, return_indices=True)
        largest = largest * sign if turned else largest
        scale = weight * inverse
        y = F.relu(torch.addcmul((bias - mean * scale)[:, None, None], largest, scale[:, None, None]))
        ctx.save_for_backward(x, weight, largest, where, mean, inverse, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        x, weight, largest, where, mean, inverse, y = ctx.saved_tensors
        images, channels, height, width = x.shape
        grad = torch.where(y > 0, grad.to(x.dtype), 0.0)
        of_bias = grad.sum(dim=(0, 2, 3))
        of_weight = ((grad * largest).sum(dim=(0, 2, 3)) - of_bias * mean) * inverse
        count, scale = images * height * width, weight * inverse
        slope = -scale * of_weight * inverse / count
        of_x = x * slope[:, None, None]
        of_x += (-scale * of_bias / count - slope * mean)[:, None, None]
        first = torch.arange(images, device=x.device).view(-1, 1, 1, 1) * (height * width)
        channel = torch.arange(channels, device=x.device).view(-1, 1, 1)
        flat = of_x.permute(0, 2, 3, 1)  # channels last: a view of consecutive numbers
        place = ((where + first) * channels + channel).permute(0, 2, 3, 1).reshape(-1)
        values = (grad * scale[:, None, None]).permute(0, 2, 3, 1).reshape(-1)
        if not flat.is_contiguous():
            flat = flat.contiguous()
        flat = flat.view(-1).index_add_(0, place, values).view(images, height, width, channels)
        return flat.permute(0, 3, 1, 2), of_weight, of_bias, None
