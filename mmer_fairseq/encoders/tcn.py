"""A temporal convolutional network: causal, weight-normed, dilated twice as far in each block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_KERNEL = 5
_DROPOUT = 0.1


class CausalConv(nn.Module):
    """Convolution over past and present steps; weight = g · v / ‖v‖, with g and v under the names of older torch.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        kernel: steps it sees.
        dilation: input steps between two of them.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.bias = nn.Parameter(torch.empty(n_out))
        self.weight_g = nn.Parameter(torch.empty(n_out, 1, 1))
        self.weight_v = nn.Parameter(torch.empty(n_out, n_in, kernel))
        nn.init.kaiming_uniform_(self.weight_v, a=math.sqrt(5))
        bound = 1 / math.sqrt(n_in * kernel)
        nn.init.uniform_(self.bias, -bound, bound)
        with torch.no_grad():
            self.weight_g.copy_(self.weight_v.norm(dim=(1, 2), keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T] → [N, C', T]."""
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(1, 2), keepdim=True))
        past = self.dilation * (weight.size(2) - 1)
        return F.conv1d(F.pad(x, (past, 0)), weight, self.bias, dilation=self.dilation)


class Block(nn.Module):
    """Two convolutions, each with LeakyReLU and dropout of whole channels, and a shortcut.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        kernel: steps a convolution sees.
        dilation: of both convolutions.
        dropout: probability.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = CausalConv(n_in, n_out, kernel, dilation)
        self.conv2 = CausalConv(n_out, n_out, kernel, dilation)
        self.downsample = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else None
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T] → [N, C', T]."""
        y = x
        for conv in (self.conv1, self.conv2):
            y = self.dropout(F.leaky_relu(conv(y)))
        return F.leaky_relu(y + (x if self.downsample is None else self.downsample(x)))


class TCN(nn.Module):
    """Blocks of dilation 1, 2, 4, …

    Source: Bai et al., "An empirical evaluation of generic convolutional and recurrent networks for sequence
        modeling", 2018; differs in LeakyReLU for ReLU, and in dropout of whole channels.

    Args:
        n_in: channels of the input.
        channels: of each block.
        kernel: steps a convolution sees.
        dropout: probability.
    """

    def __init__(
        self, n_in: int, channels: Sequence[int], kernel: int = _KERNEL, dropout: float = _DROPOUT
    ) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(
                Block(before, after, kernel, 2**index, dropout)
                for index, (before, after) in enumerate(zip((n_in, *channels), channels))
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, T] → [N, C', T]."""
        return self.network(x)
