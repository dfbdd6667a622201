"""The small trainable encoder of biosignals (EDA, ECG, EMG …): strided 1-D CNN, four to eight vectors a second."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import masked_group_norm
from mmer_fairseq.encoders.standardise import Standardise
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

_CHANNELS = 64
_SLOWEST = 4.0  # vectors a second
_LAYERS = 3  # at least
#: In standard deviations. R peaks of an ECG reach 8; a lost electrode reaches hundreds.
_LIMIT = 10.0
_EPS = 1e-5


class PhysioCNN(Encoder):
    """Channels brought to zero mean and unit variance, then convolutions that halve or quarter the rate.

    Each norm is over a clip's own steps and all channels, so nothing depends on padding or on other clips. The
    statistics are kept with the weights.

    Args:
        width: D of the output.
        rate: steps a second, in Hz (0: not known, and none is lost).
        mean: C numbers, of the training split.
        deviation: C numbers, standard deviations of the training split.
        dropout: probability, between the layers.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, width: int, rate: float, mean: Tensor, deviation: Tensor, dropout: float = 0.1
    ) -> None:
        self.strides = strides_for(rate)
        stride = 1
        for factor in self.strides:
            stride *= factor
        super().__init__(width, stride=stride)
        statistics = Standardise(mean, deviation)
        self.register_buffer("mean", statistics.mean)
        self.register_buffer("scale", statistics.scale)
        self.layers = nn.ModuleList()
        self.norms = nn.ParameterList()  # weight and bias of each, [2, channels]
        n_in = len(mean)
        for factor in self.strides:
            reach = max(factor, 2)
            self.layers.append(nn.Conv1d(n_in, _CHANNELS, 2 * reach + 1, stride=factor, padding=reach))
            self.norms.append(nn.Parameter(torch.stack([torch.ones(_CHANNELS), torch.zeros(_CHANNELS)])))
            n_in = _CHANNELS
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(_CHANNELS, width)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Steps over the stride, rounded up."""
        return torch.div(lengths + self.stride - 1, self.stride, rounding_mode="floor")

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, C] → [B, ⌈T / stride⌉, D]."""
        if x.dim() != 3 or x.size(2) != len(self.mean):
            raise InputError.of(
                where="stream of biosignals",
                expected=f"{len(self.mean)} channels, which the model was built for",
                found=f"a stream of shape {tuple(x.shape)}",
                remedy="use the signals that it was trained with",
            )
        exact = torch.promote_types(self.dtype, torch.float32)
        y = ((x.to(exact) - self.mean) * self.scale).clamp(-_LIMIT, _LIMIT).to(self.dtype)
        y = y.masked_fill(padding_mask(lengths, y.size(1))[..., None], 0.0).transpose(1, 2)
        for layer, norm, factor in zip(self.layers, self.norms, self.strides):
            lengths = torch.div(lengths + factor - 1, factor, rounding_mode="floor")
            y = F.gelu(masked_group_norm(layer(y), lengths, 1, norm[0], norm[1], _EPS))
            y = self.dropout(y).masked_fill(padding_mask(lengths, y.size(2))[:, None], 0.0)
        return self.project(y.transpose(1, 2)), lengths


def strides_for(rate: float) -> list[int]:
    """Strides of the layers, 4, 2 or 1, after which four to eight vectors a second are left of ``rate`` Hz."""
    halvings = 0
    while rate / 2 ** (halvings + 1) >= _SLOWEST:
        halvings += 1
    strides = [4] * (halvings // 2) + [2] * (halvings % 2)
    return strides + [1] * (_LAYERS - len(strides))


def build(spec: StreamSpec, width: int, path: str) -> PhysioCNN:
    """Builder for the registry.

    Raises:
        InputError: no channels, or statistics of another number of them.
    """
    # a model that is about to load its weights has them there
    mean = torch.tensor(spec.mean or [0.0] * spec.dim, dtype=torch.float64)
    deviation = torch.tensor(spec.deviation or [1.0] * spec.dim, dtype=torch.float64)
    if spec.dim <= 0 or len(mean) != spec.dim or len(deviation) != spec.dim:
        raise InputError.of(
            where=f"stream '{spec.modality}'",
            expected="biosignals of at least 1 channel, and a mean and a deviation of each",
            found=f"{spec.dim} channels, {len(mean)} means, {len(deviation)} deviations",
            remedy="name files of signals that have columns",
        )
    return PhysioCNN(width, spec.rate, mean, deviation, spec.dropout)
