"""What an encoder is: one modality's padded input → a padded sequence of vectors.

Everything that all encoders must do the same way is here, once: frozen encoders stay frozen, clips without
the modality cost nothing and give zeros, padded steps of the output are zero.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from mmer_fairseq.modules.masks import padding_mask

FORMS = ("tokens", "samples", "frames", "series", "features")


@dataclass(frozen=True)
class StreamSpec:
    """One stream of a batch and the encoder that takes it.

    Attributes:
        modality: ``text``, ``audio``, ``video`` or ``physio``.
        form: what the stream holds: ``tokens`` LongTensor [B, T], ``samples`` [B, T], ``frames``
            [B, T, 3, H, W], ``series`` [B, T, C] (biosignals of C channels) or ``features`` [B, T, D].
        encoder: ``NAME`` or ``NAME:PATH``; '' means the default of the form.
        frozen: whether the encoder's weights stay as they are (None: the encoder's default, which is frozen
            for those that come with trained weights).
        dim: D of stored features, or C of biosignals.
        parts: widths of the stores that the features were joined from, in their order; (): one store.
        chunk: samples, frames or steps of one sub-sequence, which becomes one vector, where the stream is a
            sequence of them (see ``mmer_fairseq.data.windows``); 0: the stream is a whole clip.
        rate: samples, frames or vectors a second, in Hz (0: no clock).
        vocab_size: number of tokens.
        padding_idx: the token that means padding.
        frame_size: height and width of a frame in pixels.
        dropout: probability inside the small trainable encoders, and on standardised features.
        mean: of each stored feature or channel, D numbers; (): not known, or not needed.
        deviation: standard deviation of each, as ``mean``.
    """

    modality: str
    form: str
    encoder: str = ""
    frozen: bool | None = None
    dim: int = 0
    parts: tuple[int, ...] = ()
    chunk: int = 0
    rate: float = 0.0
    vocab_size: int = 0
    padding_idx: int = 1
    frame_size: int = 0
    dropout: float = 0.1
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()


class Encoder(nn.Module):
    """Base class. A subclass builds its layers and defines :meth:`encode`, for clips of at least one step.

    The output of a clip depends neither on padding nor on the other clips of the batch.

    Args:
        dim: D, the width of the output.
        stride: input steps per output step, so that output rate = input rate / stride.
        checkpoint: the file the weights came from, if any.
        variant: what decides the output besides that file, such as the number of layers kept.
    """

    def __init__(
        self, dim: int, *, stride: int = 1, checkpoint: Path | None = None, variant: str = ""
    ) -> None:
        super().__init__()
        self.dim = dim
        self.stride = stride
        self.checkpoint = checkpoint
        self.variant = variant
        self.frozen = False

    @property
    def fingerprint(self) -> str:
        """sha256 of the checkpoint file and the variant; '' for an encoder that has neither.

        Two encoders of one name and fingerprint give the same output.
        """
        return (file_sha256(self.checkpoint) if self.checkpoint is not None else "") + self.variant

    @property
    def dtype(self) -> torch.dtype:
        """The floating type of the weights (torch's default for an encoder without weights)."""
        return next((p.dtype for p in self.parameters() if p.is_floating_point()), torch.get_default_dtype())

    def freeze(self) -> Encoder:
        """Keep the weights as they are from now on: eval mode even after ``.train()``, no gradients."""
        self.frozen = True
        self.requires_grad_(False)
        return self.train(False)

    def train(self, mode: bool = True) -> Encoder:
        """Set the mode; a frozen encoder stays in eval mode."""
        return super().train(mode and not self.frozen)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Valid output steps of clips with that many valid input steps; LongTensor [B] → LongTensor [B]."""
        return lengths

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode clips that all have at least one valid step. See :meth:`forward`."""
        raise NotImplementedError

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            x: [B, T, …], the stream in the encoder's form.
            lengths: LongTensor [B], valid steps; 0 where a clip has no such modality.

        Returns:
            y [B, T', D], zero at padded steps, and its LongTensor [B] of valid steps (0 stays 0). T' is at
            least 1.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            present = lengths > 0
            count = int(present.sum())
            if count == 0:
                return self._nothing(x), torch.zeros_like(lengths)
            if count == len(lengths):
                y, out_lengths = self.encode(x, lengths)
            else:
                part, part_lengths = self.encode(x[present], lengths[present])
                y = part.new_zeros(len(lengths), *part.shape[1:])
                y[present] = part
                out_lengths = torch.zeros_like(lengths)
                out_lengths[present] = part_lengths
            return y.masked_fill(padding_mask(out_lengths, y.size(1))[..., None], 0.0), out_lengths

    def _nothing(self, x: Tensor) -> Tensor:
        """[B, 1, D] of zeros that lead back to every trainable weight, as data-parallel training needs."""
        weightless = next(self.parameters(), None) is None
        dtype = x.dtype if weightless and x.is_floating_point() else self.dtype
        y = torch.zeros(len(x), 1, self.dim, dtype=dtype, device=x.device)
        for parameter in self.parameters():
            if parameter.requires_grad:
                y = y + 0.0 * parameter.reshape(-1)[0]
        return y


def file_sha256(path: Path) -> str:
    """sha256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
