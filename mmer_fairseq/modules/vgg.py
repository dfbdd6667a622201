"""Blocks of the small VGG that reads face images and pieces of spectrograms.

Letters for shapes: N images, C channels, H × W pixels or sites.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.norm_pool import NormReluPool

#: Channels of the first layers, and of the three stages behind them.
STEM, STAGES = 64, (128, 256, 512)
#: Images are halved so many times.
HALVINGS = 4


class VggBlock(nn.Module):
    """Twice: 3×3 convolution, batch norm, ReLU: [N, C, H, W] → [N, C', H, W]."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(x)), inplace=True)


class Stem(nn.Module):
    """5×5 convolution, batch norm, ReLU, halving, two blocks: [N, C, H, W] → [N, 64, H/2, W/2], channels last.

    On the CPU, convolutions and norms with the channels last in memory are a third faster.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, STEM, 5, padding=2)
        self.norm = NormReluPool(STEM)
        self.blocks = nn.Sequential(VggBlock(STEM, STEM), VggBlock(STEM, STEM))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.norm(self.conv(x.contiguous(memory_format=torch.channels_last))))


class DenseCNN(nn.Module):
    """All sites of all images: [N, C, H, W] → [N, 512, H/16, W/16].

    Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = Stem(channels)
        widths = (STEM, *STAGES)
        self.stages = nn.ModuleList(VggBlock(a, b) for a, b in zip(widths, widths[1:]))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, guide: Tensor | None = None, clips: Tensor | None = None) -> Tensor:
        """``guide`` and ``clips`` are those of the sparse network; nothing is made of them here."""
        x = self.stem(x)
        for stage in self.stages:
            x = F.max_pool2d(stage(x), 2)
        return x


def flat_size(height: int, width: int) -> int:
    """Numbers that come out of an image of this size."""
    return STAGES[-1] * (height >> HALVINGS) * (width >> HALVINGS)
