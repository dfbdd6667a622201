"""Convolution at chosen sites of images alone: what is not chosen is neither computed nor seen.

Letters for shapes: N images, H × W sites of each, M chosen sites of all images, C channels, P pairs of a chosen site
and a chosen neighbour of it (or itself).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: Above this share of all pairs that images have, computing everything and leaving out the rest is faster.
DENSE = 0.8
_CENTRE = 4


class Sites:
    """Chosen sites, and which of them are neighbours.

    Their features are rows [M, C] in the order image, row, column.

    Attributes:
        mask: BoolTensor [N, H, W], True where a site is chosen.
        index: LongTensor [M], places of the chosen sites in the flattened mask.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.index = mask.flatten().nonzero().squeeze(1)
        self._pairs: _Pairs | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def pairs(self) -> _Pairs:
        """Pairs of neighbours, found once."""
        if self._pairs is None:
            self._pairs = _Pairs(self)
        return self._pairs

    @property
    def dense(self) -> bool:
        """Whether so many sites are chosen that it is faster to compute all."""
        return len(self) == self.mask.numel() or self.pairs.count > DENSE * 9 * self.mask.numel()

    def rows(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] → rows [M, C]."""
        x = x.permute(0, 2, 3, 1).flatten(0, 2)
        return x if len(self) == len(x) else x.index_select(0, self.index)

    def map(self, rows: Tensor) -> Tensor:
        """Rows [M, C] → map [N, C, H, W], zero elsewhere, channels last in memory."""
        if len(rows) < self.mask.numel():
            rows = rows.new_zeros(self.mask.numel(), rows.shape[1]).index_copy(0, self.index, rows)
        return rows.view(*self.mask.shape, -1).permute(0, 3, 1, 2)


class _Pairs:
    """Pairs by offset: neighbour k of 3 × 3 lies at row k // 3 − 1, column k % 3 − 1 from its site.

    Attributes:
        sites: nine LongTensors, rows of the sites that have neighbour k.
        neighbours: nine LongTensors, the rows of these neighbours.
        starts: where the pairs of each k begin among all.
        count: P.
        order: LongTensor [P], all pairs by site.
        bags: LongTensor [M], where those of each site begin.
    """

    def __init__(self, chosen: Sites) -> None:
        images, height, width = chosen.mask.shape
        count, device = len(chosen), chosen.index.device
        numbers = torch.full((images, height + 2, width + 2), -1, dtype=torch.long, device=device)
        own = torch.arange(count, device=device)
        numbers[:, 1:-1, 1:-1][chosen.mask] = own
        image = chosen.index // (height * width)
        inside = chosen.index % (height * width)
        place = (image * (height + 2) + inside // width + 1) * (width + 2) + inside % width + 1
        flat = numbers.flatten()
        before = []
        for k in range(_CENTRE):
            found = flat[place + (k // 3 - 1) * (width + 2) + k % 3 - 1]
            there = (found >= 0).nonzero().squeeze(1)
            before.append((there, found[there]))
        behind = [(neighbours, sites) for sites, neighbours in reversed(before)]
        pairs = [*before, (own, own), *behind]
        self.sites = [sites for sites, _ in pairs]
        self.neighbours = [neighbours for _, neighbours in pairs]
        sizes = [len(sites) for sites in self.sites]
        self.starts = [sum(sizes[:k]) for k in range(10)]
        self.count = self.starts[-1]
        table = torch.full((count, 9), -1, dtype=torch.long, device=device)
        for k, sites in enumerate(self.sites):
            table[sites, k] = torch.arange(self.starts[k], self.starts[k + 1], device=device)
        there = table >= 0
        self.order = table[there]
        counts = there.sum(dim=1)
        self.bags = counts.cumsum(0) - counts

    def summed(self, values: Tensor) -> Tensor:
        """Values of pairs [P, C] → their sums by site [M, C]."""
        return F.embedding_bag(self.order, values, self.bags, mode="sum")


class _Convolve(torch.autograd.Function):
    """Rows [M, C], [9, C, C'] → rows [M, C']: one product for each of nine neighbours, over the pairs there are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, pairs: _Pairs) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.pairs = pairs
        with torch.autocast(x.device.type, enabled=False):
            weight = weight.to(x.dtype)
            values = x.new_empty(pairs.count, weight.shape[2])
            for k, own in enumerate(weight):
                torch.mm(_neighbours(x, pairs.neighbours, k), own, out=_block(values, pairs.starts, k))
            return pairs.summed(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        pairs: _Pairs = ctx.pairs
        with torch.autocast(x.device.type, enabled=False):
            grad, dtype = grad.to(x.dtype).contiguous(), weight.dtype
            weight = weight.to(x.dtype)
            values = x.new_empty(pairs.count, x.shape[1])
            of_weight = torch.empty_like(weight)
            for k, own in enumerate(weight):
                given = _neighbours(grad, pairs.sites, k)
                # what goes back to a neighbour goes back from it as the neighbour of the opposite side
                torch.mm(given, own.t(), out=_block(values, pairs.starts, 8 - k))
                torch.mm(_neighbours(x, pairs.neighbours, k).t(), given, out=of_weight[k])
            return pairs.summed(values), of_weight.to(dtype), None


def _neighbours(x: Tensor, rows: Sequence[Tensor], k: int) -> Tensor:
    return x if k == _CENTRE else x.index_select(0, rows[k])


def _block(values: Tensor, starts: Sequence[int], k: int) -> Tensor:
    return values[starts[k] : starts[k + 1]]


class SiteConv(nn.Module):
    """3×3 convolution without bias that takes and gives features at chosen sites alone.

    The chosen sites stay the same. Its weight is [9, C, C'], neighbours row by row.

    Source: Graham and van der Maaten, "Submanifold sparse convolutional networks", 2017.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, n_in, n_out) * (2.0 / (9 * n_in)) ** 0.5)

    def forward(self, x: Tensor, sites: Sites) -> Tensor:
        """[M, C] → [M, C']."""
        if not sites.dense:
            return _Convolve.apply(x, self.weight, sites.pairs)
        kernel = self.weight.permute(2, 1, 0).unflatten(2, (3, 3))
        return sites.rows(
            F.conv2d(sites.map(x), kernel.contiguous(memory_format=torch.channels_last), padding=1)
        )


class SiteNorm(nn.Module):
    """Batch norm over all chosen sites of a batch, then ReLU: [M, C] → [M, C].

    As in SparseConvNet, 1e-4 is added to variances, and running statistics move by a hundredth. A batch of one site
    is normalised by the running statistics.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim, eps=1e-4, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        norm = self.norm
        training = norm.training and len(x) > 1
        image = x.view(1, len(x), 1, -1).permute(
            0, 3, 1, 2
        )  # as an image of M sites, which torch is faster at
        y = F.batch_norm(
            image,
            norm.running_mean,
            norm.running_var,
            norm.weight,
            norm.bias,
            training,
            norm.momentum or 0.0,
            norm.eps,
        )
        return F.relu(y, inplace=True).permute(0, 2, 3, 1).reshape(x.shape)
