"""Text-guided selection of the sites of images that are worth computing, and a VGG that computes no others.

Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021. Its published code
never trains the selection; here it is trained.

Letters for shapes: B clips, N images of all clips, H × W sites, P = H·W, M chosen sites, C channels, D text width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.sites import SiteConv, SiteNorm, Sites, halved
from mmer_fairseq.modules.vgg import STAGES, STEM, Stem


class Selection(nn.Module):
    """Attention over the sites of one image, guided by the clip's text: w · tanh(W_x x + b_x + W_y y) at each.

    Kept are the fewest sites whose attention, softmax over the image's sites, sums up to the threshold.

    Training is straight-through: kept features pass unchanged, but gradients flow as if each were multiplied with its
    attention, relative to the image's mean over kept sites as a constant. A kept site whose features help gains
    attention, one that does not loses it and is dropped in the end. Features are detached there, so that they do
    not change to gain attention; the text is trained to guide. A clip without text is selected by its images alone.
    """

    def __init__(self, channels: int, text_dim: int) -> None:
        """Build it.

        Args:
            channels: C, also the width of the attention.
            text_dim: D, the width of the text's vector; 0: the network has no text.
        """
        super().__init__()
        self.site = nn.Linear(channels, channels)
        self.guide = nn.Linear(text_dim, channels, bias=False) if text_dim else None
        self.score = nn.Linear(channels, 1, bias=False)  # softmax does not see a bias

    def forward(
        self, rows: Tensor, sites: Sites, guide: Tensor | None, clips: Tensor, threshold: float, trained: bool
    ) -> tuple[Tensor, Sites]:
        """Select.

        Args:
            rows: [M, C], features of the sites that may be kept.
            sites: where they lie; each image has one at least.
            guide: [B, D], the text's vectors, zeros where a clip has none; None: no clip has text.
            clips: LongTensor [N], the clip of each image.
            threshold: share of the attention that is kept, above 0; 1 keeps all sites.
            trained: let gradients reach the attention.

        Returns:
            [M', C] and where these lie.
        """
        images, places = sites.mask.shape[0], sites.mask[0].numel()
        with torch.set_grad_enabled(torch.is_grad_enabled() and trained):
            hidden = self.site(rows.detach())
            if self.guide is not None and guide is not None:
                own = self.guide(guide).index_select(0, clips)  # [N, C]
                if sites.all or len(rows) == images * places:
                    hidden = (hidden.view(images, places, -1) + own[:, None]).flatten(0, 1)
                else:
                    hidden = hidden + own.index_select(0, sites.index // places)
            scores = self.score(hidden.tanh()).squeeze(1).float()
            active = sites.mask.flatten(1)
            if sites.all:
                attention = scores.view(images, places).masked_fill(~active, float("-inf")).softmax(dim=1)
            else:
                spread = scores.new_full((images * places,), float("-inf"))
                attention = spread.index_copy(0, sites.index, scores).view(images, places).softmax(dim=1)
        kept = active if threshold >= 1 else most_attended(attention.detach(), threshold) & active
        chosen = sites
        if threshold < 1:
            chosen = Sites(kept.view(sites.mask.shape))
            if sites.all:
                return rows, chosen
            rows = rows.index_select(0, kept.flatten().index_select(0, sites.index).nonzero().squeeze(1))
        if attention.requires_grad:
            rows = rows * self._straight_through(attention, kept, chosen)[:, None].to(rows.dtype)
        return rows, chosen

    @staticmethod
    def _straight_through(attention: Tensor, kept: Tensor, chosen: Sites) -> Tensor:
        """[M'] of ones whose gradient is that of attention relative to the mean over the image's kept sites."""
        constant = attention.detach()
        mean = torch.where(kept, constant, 0.0).sum(dim=1) / kept.sum(dim=1)
        relative = (attention / mean[:, None]).flatten().index_select(0, chosen.index)
        return 1.0 + (relative - relative.detach())


def most_attended(attention: Tensor, threshold: float) -> Tensor:
    """The fewest sites of each image whose attention sums up to the threshold: [N, P] → BoolTensor [N, P]."""
    values, order = attention.sort(dim=1, descending=True)
    # torch adds up in double precision by itself, others who run an exported graph do not
    summed = values.double().cumsum(dim=1).to(values.dtype) if is_dense() else values.cumsum(dim=1)
    before = summed - values
    return torch.zeros_like(attention, dtype=torch.bool).scatter(1, order, before < threshold)


class SparseStage(nn.Module):
    """Selection, then a block of two convolutions at the selected sites."""

    def __init__(self, n_in: int, n_out: int, text_dim: int) -> None:
        super().__init__()
        self.selection = Selection(n_in, text_dim)
        self.conv1, self.norm1 = SiteConv(n_in, n_out), SiteNorm(n_out)
        self.conv2, self.norm2 = SiteConv(n_out, n_out), SiteNorm(n_out)

    def forward(self, rows: Tensor, sites: Sites) -> Tensor:
        """The block alone: [M, C] → [M, C']."""
        rows = self.norm1(self.conv1(rows, sites))
        return self.norm2(self.conv2(rows, sites))


class SparseCNN(nn.Module):
    """The VGG with a selection before each stage: [N, C, H, W] → [N, 512, H/16, W/16], zero at sites that are left out.

    Attributes:
        threshold: share of the attention that each selection keeps.
        original_behaviour: the selection is not trained, and the features that the first one keeps are laid down in
            another order than they were taken, across images and clips, as the original's code does.
    """

    def __init__(
        self, channels: int, *, text_dim: int, threshold: float, original_behaviour: bool = False
    ) -> None:
        super().__init__()
        self.stem = Stem(channels)
        widths = (STEM, *STAGES)
        self.stages = nn.ModuleList(SparseStage(a, b, text_dim) for a, b in zip(widths, widths[1:]))
        self.threshold = threshold
        self.original_behaviour = original_behaviour

    def forward(
        self, x: Tensor, guide: Tensor | None, clips: Tensor, selected: list[Sites] | None = None
    ) -> Tensor:
        """Run it.

        Args:
            x: [N, C, H, W], one image at least.
            guide, clips: those of :class:`Selection`.
            selected: the sites that each stage keeps are added to it.
        """
        x = self.stem(x)
        sites = Sites(torch.ones(x.shape[0], *x.shape[2:], dtype=torch.bool, device=x.device))
        rows = sites.rows(x)
        for index, stage in enumerate(self.stages):
            assert isinstance(stage, SparseStage)
            rows, sites = stage.selection(
                rows, sites, guide, clips, self.threshold, not self.original_behaviour
            )
            if self.original_behaviour and index == 0:
                rows = scrambled(rows, sites.mask)
            if selected is not None:
                selected.append(sites)
            rows, sites = halved(stage(rows, sites), sites)
        return sites.map(rows)


def scrambled(rows: Tensor, mask: Tensor) -> Tensor:
    """The original's first stage: features in the order image, row, column at places in the order row, column, image.

    Args:
        rows: [M, C] in the order image, row, column.
        mask: BoolTensor [N, H, W], where they lie.
    """
    row, column, image = mask.permute(1, 2, 0).nonzero().unbind(1)
    place = (image * mask.shape[1] + row) * mask.shape[2] + column
    return rows.index_select(0, place.argsort())
