"""ResNet-18 over log-mel spectrograms of sound at 44.1 kHz: one vector of 512 a second, or a chunk."""

from __future__ import annotations

import functools
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.encoders.backbone import RANDOM, Backbone, Weights, download, read_weights
from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.logmel import mel_filters
from mmer_fairseq.encoders.pieces import each_piece, piece_count

DIM = 512
RATE = 44100  # Hz
IMAGENET = "imagenet"

_WHAT = "ResNet-18"
_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
_STEM = "conv1.weight"
_ANCHOR = "layer1.0.conv1.weight"
_FFT, _WINDOW, _HOP, _BANDS = 1024, 882, 441, 64
_FLOOR, _RANGE = 1e-10, 80.0  # power; dB below the loudest point
_MEAN, _DEVIATION = -14.8, 19.895  # dB
#: Samples that the mirrored ends of a spectrum need.
_SHORTEST = _FFT // 2 + 1


class ResNetLogMel(Backbone):
    """torchvision's ResNet-18 with one input channel, on pieces of sound, each with its own spectrogram.

    Without chunks a piece is one second: the last one of a clip is its last second, so that it overlaps the one
    before; a clip of less is filled with zeros on the left. A batch norm that is trained takes its statistics over
    the pieces that run together.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016; the spectrogram is that of the
        Joint Multimodal Transformer (Waligora et al., CVPRW 2024).

    Args:
        path: a file of weights: torchvision's, the original's ``audio_resnet18.pt`` or ``all_backbones.pt``, or of a
            training run of ours; or ``imagenet`` (torchvision's, downloaded) or ``random``. First filters of three
            channels are averaged to one.
        piece: samples of a piece.
        modality: of the stream.

    Raises:
        InputError: no such file, or it holds other tensors.
    """

    at_once = 16

    def __init__(self, path: str, piece: int = RATE, modality: str = "audio") -> None:
        from torchvision.models import ResNet18_Weights, resnet18

        weights = None
        if path == IMAGENET:
            published = ResNet18_Weights.IMAGENET1K_V1
            fetch = lambda: published.get_state_dict(progress=False, check_hash=True)  # noqa: E731
            weights = download(IMAGENET, _WHAT, modality, fetch)
        elif path != RANDOM:
            weights = read_weights(path, _WHAT, modality)
        super().__init__(
            DIM,
            stride=piece,
            checkpoint=weights.path if weights else None,
            variant=f"{IMAGENET if path == IMAGENET else ''}/{piece}",
            untrained="" if weights else "the network",
        )
        self.piece = piece
        network = resnet18(weights=None)
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.body = nn.Sequential(OrderedDict((name, getattr(network, name)) for name in _PARTS))
        if weights is not None:
            self._load(weights)

    def _load(self, weights: Weights) -> None:
        prefix = weights.prefix(_ANCHOR)
        if prefix is None:
            raise weights.foreign(_ANCHOR)
        stem = weights.state.get(prefix + _STEM)
        colour = stem is not None and stem.dim() == 4 and stem.size(1) == 3
        weights.load(
            self.body, prefix, {_STEM: stem.mean(1, keepdim=True)} if stem is not None and colour else None
        )

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Pieces, rounded up."""
        return piece_count(lengths, self.piece)

    def spectrogram_vectors(self, spectrograms: Tensor) -> Tensor:
        """Log-mel spectrograms [N, 1, 64, T] → [N, 512]."""
        return self.body(spectrograms).mean(dim=(2, 3))

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 44.1 kHz → [B, ⌈samples / piece⌉, 512]."""
        counts = self.output_lengths(lengths)
        # in front of each clip, as many zeros as the shortest clip may lack
        lacking = max(self.piece - int(lengths.min()), 0)
        x = F.pad(x, (lacking, 0))
        ends = torch.arange(1, int(counts.max()) + 1, device=x.device)[None] * self.piece
        starts = torch.minimum(ends, lengths[:, None]) - self.piece + lacking
        inside = torch.arange(self.piece, device=x.device)

        def steps(first: Tensor, clip: Tensor) -> Tensor:
            return first[:, None] + inside

        return each_piece(x, starts, counts, steps, self._vectors, self.dim, self.at_once), counts

    def _vectors(self, waves: Tensor) -> Tensor:
        with torch.no_grad():  # nothing here is learned
            spectrograms = log_mel(waves)
        return self.spectrogram_vectors(spectrograms[:, None].to(self.dtype))


def log_mel(waves: Tensor) -> Tensor:
    """Spectrograms of sound at 44.1 kHz in decibels, brought to about zero mean and unit variance.

    Frames of 20 ms, one every 10 ms, centred, ends mirrored; 64 mel bands; at most 80 dB between the loudest point
    of a spectrogram and what counts as silence. Sound too short to be mirrored is filled with zeros on the left.

    Args:
        waves: [N, samples], at least one sample.

    Returns:
        FloatTensor [N, 64, 1 + samples // 441].
    """
    waves = F.pad(waves.float(), (max(_SHORTEST - waves.size(1), 0), 0))
    window, mel = _constants(waves.device)
    with torch.autocast(waves.device.type, enabled=False):
        spectrum = torch.stft(waves, _FFT, _HOP, _WINDOW, window, pad_mode="reflect", return_complex=True)
        power = mel.T @ (spectrum.real.square() + spectrum.imag.square())
        decibels = 10.0 * power.clamp(min=_FLOOR).log10()
        loudest = decibels.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(decibels, loudest - _RANGE) - _MEAN) / _DEVIATION


@functools.lru_cache(maxsize=4)
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """Window [882] and mel filters [513, 64]; no buffers, which a model in half precision would round."""
    mel = mel_filters(_BANDS, _FFT, RATE, low=0.0)
    return torch.hann_window(_WINDOW).to(device), mel.to(device)


def build(spec: StreamSpec, width: int, path: str) -> ResNetLogMel:
    """Builder for the registry."""
    return ResNetLogMel(path, spec.chunk or RATE, spec.modality)
