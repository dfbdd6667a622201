"""Convolution at chosen sites of images alone: what is not chosen is neither computed nor seen.

Letters for shapes: N images, H × W sites of each, M chosen sites of all images, C channels, P pairs of a chosen site
and a chosen neighbour of it (or itself).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmer_fairseq.modules.dense import is_dense

#: Above this share of all pairs that images have, computing everything and leaving out the rest is faster.
DENSE = 0.65
#: Sites computed at once on the CPU.
BLOCK = 1024
_CENTRE = 4
_MOMENTUM, _EPS = 0.01, 1e-4


class Sites:
    """Chosen sites, and which of them are neighbours.

    Their features are rows [M, C] in the order image, row, column. Within ``dense()``, there is a row for every
    site, M = N·H·W; those that are not chosen mean nothing.

    Attributes:
        mask: BoolTensor [N, H, W], True where a site is chosen.
        index: LongTensor [M], places of the chosen sites in the flattened mask.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.all = is_dense()
        if not self.all:
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
        return x if self.all or len(self) == len(x) else x.index_select(0, self.index)

    def map(self, rows: Tensor) -> Tensor:
        """Rows [M, C] → map [N, C, H, W], zero elsewhere, channels last in memory."""
        if self.all:
            rows = rows.masked_fill(~self.mask.flatten()[:, None], 0.0)
        elif len(rows) < self.mask.numel():
            rows = rows.new_zeros(self.mask.numel(), rows.shape[1]).index_copy_(0, self.index, rows)
        return rows.view(*self.mask.shape, rows.shape[1]).permute(0, 3, 1, 2)


class _Pairs:
    """Pairs by block of sites, then by offset: neighbour k of 3 × 3 lies at row k // 3 − 1, column k % 3 − 1.

    On the CPU a block is small enough that what is computed for it stays in the cache.

    Attributes:
        count: P.
        blocks: what each block consists of.
        most: pairs of the largest block.
    """

    def __init__(self, chosen: Sites) -> None:
        images, height, width = chosen.mask.shape
        count, device = len(chosen), chosen.index.device
        numbers = torch.full((images, height + 2, width + 2), -1, dtype=torch.long, device=device)
        numbers[:, 1:-1, 1:-1][chosen.mask] = torch.arange(count, device=device)
        image, inside = chosen.index // (height * width), chosen.index % (height * width)
        place = (image * (height + 2) + inside // width + 1) * (width + 2) + inside % width + 1
        offsets = [(k // 3 - 1) * (width + 2) + k % 3 - 1 for k in range(9)]
        found = numbers.flatten()[place + torch.tensor(offsets, device=device)[:, None]]  # [9, M]
        there = found >= 0
        sites, neighbours = there.nonzero()[:, 1], found[there]
        self.count = len(sites)

        size = BLOCK if device.type == "cpu" else max(count, 1)
        edges = torch.arange(0, count + size, size, device=device).clamp(max=count).unique()
        before = F.pad(there.long().cumsum(1), (1, 0))  # [9, M + 1], pairs of k at earlier sites
        cuts = before[:, edges]  # [9, blocks + 1]
        sizes = cuts.diff(dim=1)
        starts = sizes.cumsum(0) - sizes  # where those of k begin within a block
        own = torch.arange(count, device=device) // size
        rank = before[:, :-1] - cuts[:, own] + starts[:, own]
        order = rank.t()[there.t()]  # by site, then k
        of_site = there.sum(0)
        bags = of_site.cumsum(0) - of_site
        ends = F.pad(of_site.cumsum(0), (1, 0))[edges]
        bags = bags - ends[own]

        cuts = cuts + (before[:, -1].cumsum(0) - before[:, -1])[:, None]
        spans, reach, borders = cuts.t().tolist(), ends.tolist(), edges.tolist()
        self.blocks: list[_Block] = []
        for i, (first, last) in enumerate(zip(borders, borders[1:])):
            slices = [slice(a, b) for a, b in zip(spans[i], spans[i + 1])]
            self.blocks.append(
                _Block(
                    rows=slice(first, last),
                    sites=[sites[part] for part in slices],
                    neighbours=[neighbours[part] for part in slices],
                    order=order[reach[i] : reach[i + 1]],
                    bags=bags[first:last],
                )
            )
        self.most = max((len(block.order) for block in self.blocks), default=0)


@dataclass(frozen=True)
class _Block:
    """Consecutive sites.

    Attributes:
        rows: which.
        sites: nine LongTensors, rows of those that have neighbour k.
        neighbours: nine LongTensors, the rows of these neighbours.
        order: LongTensor, all these pairs, k by k, in the order of their sites.
        bags: LongTensor, where those of each site begin in ``order``.
    """

    rows: slice
    sites: Sequence[Tensor]
    neighbours: Sequence[Tensor]
    order: Tensor
    bags: Tensor

    def taken(self, x: Tensor, rows: Sequence[Tensor], k: int) -> Tensor:
        """Rows of x, of the sites themselves or of their neighbours k."""
        return x[self.rows] if k == _CENTRE else x.index_select(0, rows[k])

    def summed(self, values: Tensor) -> Tensor:
        """Values of pairs [pairs, C] → their sums by site."""
        return F.embedding_bag(self.order, values[: len(self.order)], self.bags, mode="sum")

    def places(self) -> Iterator[tuple[int, slice]]:
        """Each k, and where its pairs lie among the block's."""
        start = 0
        for k, sites in enumerate(self.sites):
            yield k, slice(start, start + len(sites))
            start += len(sites)


class _Convolve(torch.autograd.Function):
    """Rows [M, C], [9, C, C'] → rows [M, C']: one product for each of nine neighbours, over the pairs there are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, pairs: _Pairs) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.pairs = pairs
        with torch.autocast(x.device.type, enabled=False):
            weight = weight.to(x.dtype)
            y = x.new_empty(len(x), weight.shape[2])
            values = x.new_empty(pairs.most, weight.shape[2])
            for block in pairs.blocks:
                for k, place in block.places():
                    torch.mm(block.taken(x, block.neighbours, k), weight[k], out=values[place])
                y[block.rows] = block.summed(values)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        pairs: _Pairs = ctx.pairs
        with torch.autocast(x.device.type, enabled=False):
            grad, dtype = grad.to(x.dtype).contiguous(), weight.dtype
            weight = weight.to(x.dtype)
            of_x, of_weight = torch.empty_like(x), torch.zeros_like(weight)
            values = x.new_empty(pairs.most, x.shape[1])
            for block in pairs.blocks:
                for k, place in block.places():  # a site is neighbour 8 − k of its neighbour k
                    given = block.taken(grad, block.neighbours, k)
                    torch.mm(given, weight[8 - k].t(), out=values[place])
                    of_weight[8 - k].addmm_(block.taken(x, block.sites, k).t(), given)
                of_x[block.rows] = block.summed(values)
        return of_x, of_weight.to(dtype), None


class _Largest(torch.autograd.Function):
    """Non-negative rows [M, C] → the largest among the children of each parent [M', C]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, parents: Tensor, children: Tensor) -> Tensor:
        best = x.index_select(0, children[0])
        for own in children[1:]:
            best = torch.maximum(best, x.index_select(0, own), out=best)
        ctx.save_for_backward(x, best, parents)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        x, best, parents = ctx.saved_tensors
        there = x == best.index_select(0, parents)
        return grad.index_select(0, parents).mul_(there), None, None


def halved(rows: Tensor, sites: Sites) -> tuple[Tensor, Sites]:
    """2×2 maximum over chosen sites, whose features are not negative.

    Args:
        rows: [M, C].
        sites: where they lie; height and width are even.

    Returns:
        [M', C], and sites that are chosen where any of the four was.
    """
    images, height, width = sites.mask.shape
    mask = sites.mask.view(images, height // 2, 2, width // 2, 2).any(dim=4).any(dim=2)
    above = Sites(mask)
    if sites.all:
        return above.rows(F.max_pool2d(sites.map(rows), 2)), above
    numbers = torch.empty(mask.numel(), dtype=torch.long, device=rows.device)
    numbers[above.index] = torch.arange(len(above), device=rows.device)
    image, inside = sites.index // (height * width), sites.index % (height * width)
    row, column = inside // width, inside % width
    parents = numbers[(image * (height // 2) + row // 2) * (width // 2) + column // 2]
    own = torch.arange(len(sites), device=rows.device)
    any_child = torch.empty(len(above), dtype=torch.long, device=rows.device).scatter_(0, parents, own)
    children = any_child.repeat(4, 1)  # in place of a child that is not chosen, one that is
    children[row % 2 * 2 + column % 2, parents] = own
    return _Largest.apply(rows, parents, children), above


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
        if not sites.all and not sites.dense:
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

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        training = self.training and len(x) > 1
        image = x.view(1, x.shape[0], 1, x.shape[1]).permute(
            0, 3, 1, 2
        )  # as an image of M sites, which torch is faster at
        y = F.batch_norm(
            image, self.running_mean, self.running_var, self.weight, self.bias, training, _MOMENTUM, _EPS
        )
        return F.relu(y, inplace=True).permute(0, 2, 3, 1).reshape(x.shape)
