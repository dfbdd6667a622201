"""Pieces of a mel spectrogram as flattened images, 2.5 a second: what MME2E's sound CNN reads. Nothing is learned."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.convolution import zero_padded
from mmer_fairseq.encoders.logmel import mel_filters
from mmer_fairseq.encoders.pieces import piece_count
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

RATE = 16000  # Hz
BANDS, FRAMES = 128, 32
#: Channels, height, width of one piece.
IMAGE = (1, BANDS, FRAMES)
SETS = ("power", "log")

_WINDOW, _HOP = 400, 200  # samples: 25 ms, 12.5 ms
_FLOOR = 1e-6  # power
_LARGEST = 6e4  # of half precision


class MelPieces(Encoder):
    """Power in 128 mel bands, 80 frames a second, cut into pieces of 32 frames (0.4 s), the last one filled with zeros.

    As torchaudio's MelSpectrogram by default: Hann window of 25 ms, ends of a clip mirrored, mel filters of height 1
    after O'Shaughnessy. Sound shorter than 201 samples is filled with zeros up to it, to be mirrored.

    ``log`` takes the logarithm of the power, which spans many decades, at about zero mean and unit variance for speech;
    the original does not.

    Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and its code.

    Args:
        which: one of :data:`SETS`.

    Raises:
        InputError: another one.
    """

    def __init__(self, which: str = SETS[0]) -> None:
        if which not in SETS:
            raise InputError.of(
                where="encoder 'mel_pieces'",
                expected=f"one of {', '.join(SETS)}",
                found=f"'{which}'",
                remedy="write 'mel_pieces:log', or 'mel_pieces' for the power itself",
            )
        super().__init__(BANDS * FRAMES, stride=_HOP * FRAMES, variant=f"mel pieces {which}")
        self.log = which == "log"

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """⌈(1 + n // 200) / 32⌉, of at least 201 samples."""
        return torch.where(lengths > 0, piece_count(_frame_count(lengths), FRAMES), 0)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples] at 16 kHz → [B, pieces, 4096], band by band."""
        counts = self.output_lengths(lengths)
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            power = mel_power(x, lengths)  # [B, F, 128]
            if self.log:
                power = (power.add(_FLOOR).log() + 2.0) / 4.0
            power = power.masked_fill(padding_mask(_frame_count(lengths), power.size(1))[..., None], 0.0)
            power = F.pad(power, (0, 0, 0, -power.size(1) % FRAMES))
            pieces = power.unflatten(1, (-1, FRAMES)).transpose(2, 3).flatten(2)
        if x.dtype == torch.float16:
            pieces = pieces.clamp(max=_LARGEST)
        return pieces[:, : int(counts.max())].to(x.dtype), counts


def mel_power(x: Tensor, lengths: Tensor) -> Tensor:
    """[B, samples] → FloatTensor [B, F, 128]; frames behind a clip's 1 + n // 200 mean nothing."""
    half = _WINDOW // 2
    x = zero_padded(x.float(), lengths, half + 1)
    lengths = lengths.clamp(min=half + 1)[:, None]
    place = torch.arange(-half, int(lengths.max()) + half, device=x.device)[None].abs()
    place = torch.minimum(place, 2 * (lengths - 1) - place).clamp(min=0)  # mirrored at both ends of the clip
    window, mel = _constants(x.device)
    spectrum = torch.fft.rfft(x.gather(1, place).unfold(1, _WINDOW, _HOP) * window)
    return (spectrum.real.square() + spectrum.imag.square()) @ mel


def _frame_count(lengths: Tensor) -> Tensor:
    return 1 + torch.div(lengths.clamp(min=_WINDOW // 2 + 1), _HOP, rounding_mode="floor")


@functools.lru_cache(maxsize=4)
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """Window [400] and mel filters [201, 128]; no buffers, which a model in half precision would round."""
    return torch.hann_window(_WINDOW).to(device), mel_filters(BANDS, _WINDOW, RATE, low=0.0).to(device)


def build(spec: StreamSpec, width: int, path: str) -> MelPieces:
    """Builder for the registry."""
    return MelPieces(path or SETS[0])
