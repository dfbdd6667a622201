"""The small trainable sound encoder: log-mel spectrogram → strided 1-D CNN, 12.5 vectors a second."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import conv_length, zero_padded
from mmer_fairseq.modules.masks import padding_mask

_CHANNELS = 64
#: (kernel, stride) over time: 100 frames a second → 12.5 vectors a second.
_LAYERS = ((5, 2), (5, 2), (5, 2))
_FLOOR = 1e-7  # about −70 dB of full scale


class LogMel(Encoder):
    """Log-mel frames, seen twice: as they are (loudness, register) and relative to the clip's own mean.

    The layers are normalised over channels at each step, so nothing depends on padding. A clip shorter than
    one window is zero-padded to it.

    Args:
        width: D of the output.
        rate: samples a second, in Hz.
        bands: mel bands from 50 Hz to half the rate.
        window: seconds of sound in a frame.
        hop: seconds from one frame to the next.
        dropout: probability, between the layers.
    """

    hann: Tensor
    mel: Tensor

    def __init__(
        self,
        width: int,
        rate: float = 16000.0,
        *,
        bands: int = 64,
        window: float = 0.04,
        hop: float = 0.01,
        dropout: float = 0.1,
    ) -> None:
        self.window, self.hop = round(window * rate), round(hop * rate)
        super().__init__(width, stride=self.hop * 2 ** len(_LAYERS))
        self.fft = 2 ** (self.window - 1).bit_length()
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        self.register_buffer("mel", mel_filters(bands, self.fft, rate, low=50.0), persistent=False)
        self.layers = nn.ModuleList()
        n_in = 2 * bands
        for kernel, stride in _LAYERS:
            self.layers.append(nn.Conv1d(n_in, _CHANNELS, kernel, stride=stride, padding=kernel // 2))
            n_in = _CHANNELS
        self.norms = nn.ModuleList(nn.LayerNorm(_CHANNELS) for _ in _LAYERS)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(_CHANNELS, width)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Whole windows, then halved (rounded up) by every layer."""
        n = conv_length(lengths.clamp(min=self.window), self.window, self.hop)
        for _, stride in _LAYERS:
            n = torch.div(n - 1, stride, rounding_mode="floor") + 1
        return torch.where(lengths > 0, n, 0)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] → [B, T', D]."""
        out_lengths = self.output_lengths(lengths)
        n = conv_length(lengths.clamp(min=self.window), self.window, self.hop)
        with torch.no_grad():  # nothing here is learned
            y = self._frames(zero_padded(x.float(), lengths, self.window), n)
        y = y.to(self.dtype)  # [B, 2 bands, frames]
        for layer, norm, (_, stride) in zip(self.layers, self.norms, _LAYERS):
            y = layer(y)
            n = torch.div(n - 1, stride, rounding_mode="floor") + 1
            y = F.gelu(norm(y.transpose(1, 2)))
            y = self.dropout(y).masked_fill(padding_mask(n, y.size(1))[..., None], 0.0).transpose(1, 2)
        return self.project(y.transpose(1, 2)), out_lengths

    def _frames(self, x: Tensor, n: Tensor) -> Tensor:
        """[B, samples] and valid frames [B] → [B, 2 bands, frames], zero at padded frames; float32."""
        spectrum = torch.fft.rfft(x.unfold(1, self.window, self.hop) * self.hann, self.fft)
        power = spectrum.real.square() + spectrum.imag.square()
        energy = (power @ self.mel.to(power.dtype) / self.window + _FLOOR).log()  # [B, frames, bands]
        mask = padding_mask(n, energy.size(1))[..., None]
        mean = energy.masked_fill(mask, 0.0).sum(1, keepdim=True) / n[:, None, None]
        # constants that bring speech to about zero mean and unit size
        both = torch.cat([(energy + 8.0) / 4.0, (energy - mean) / 2.0], dim=-1)
        return both.masked_fill(mask, 0.0).transpose(1, 2)


def mel_filters(bands: int, fft: int, rate: float, low: float) -> Tensor:
    """Triangular mel filters, [fft // 2 + 1, bands], from ``low`` Hz to half the rate.

    Source: O'Shaughnessy, "Speech Communication", 1987: mel = 2595 log10(1 + f / 700).
    """
    top = rate / 2
    edges = torch.linspace(_mel(low), _mel(top), bands + 2)
    edges = 700.0 * (10 ** (edges / 2595.0) - 1)
    frequencies = torch.linspace(0, top, fft // 2 + 1)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


def _mel(hertz: float) -> float:
    return float(2595.0 * torch.log10(torch.tensor(1.0 + hertz / 700.0)))


def build(spec: StreamSpec, width: int, path: str) -> LogMel:
    """Builder for the registry."""
    return LogMel(width, spec.rate or 16000.0, dropout=spec.dropout)
