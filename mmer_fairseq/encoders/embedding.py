"""The small trainable text encoder: token vectors, one transformer layer; ``<s>`` sums the text up."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmer_fairseq.encoders.base import Encoder, StreamSpec
from mmer_fairseq.encoders.tokens import check_tokens
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

#: Width inside; more would only remember a small corpus by heart.
_INNER = 128


class TextEmbedding(Encoder):
    """Embedding + sinusoidal positions → one pre-norm transformer layer → the width asked for.

    Args:
        width: D of the output.
        vocab_size: number of tokens.
        padding_idx: the token that means padding.
        dropout: probability, on vectors and in the layer.
    """

    def __init__(self, width: int, vocab_size: int, padding_idx: int = 1, dropout: float = 0.1) -> None:
        super().__init__(width)
        inner = min(width, _INNER)
        heads = next(h for h in (4, 2, 1) if inner % h == 0)
        self.vocab_size = vocab_size
        self.inner = inner
        self.embedding = nn.Embedding(vocab_size, inner, padding_idx)
        self.position_scale = nn.Parameter(torch.tensor(0.1))
        self.norm = nn.LayerNorm(inner)
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.TransformerEncoderLayer(
            inner, heads, 2 * inner, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.out_norm = nn.LayerNorm(inner)
        self.project = nn.Linear(inner, width) if inner != width else None

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """LongTensor [B, T], ``<s>`` first → [B, T, D]."""
        check_tokens(x, self.vocab_size)
        mask = padding_mask(lengths, x.size(1))
        y = self.embedding(x)
        y = self.norm(y + self.position_scale * sinusoids(x.size(1), self.inner, y))
        y = self.layer(self.dropout(y), src_key_padding_mask=mask)
        y = self.out_norm(y)
        return y if self.project is None else self.project(y), lengths


def sinusoids(steps: int, width: int, like: Tensor) -> Tensor:
    """[steps, width] of sines and cosines, in the type and on the device of ``like``.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5.
    """
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=like.device) * (-math.log(10000.0) / half))
    angles = torch.arange(steps, device=like.device)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width].to(like.dtype)


def build(spec: StreamSpec, width: int, path: str) -> TextEmbedding:
    """Builder for the registry."""
    if spec.vocab_size <= 0:
        raise InputError.of(
            where=f"stream '{spec.modality}'",
            expected="tokens of a vocabulary of known size",
            found=f"a size of {spec.vocab_size}",
            remedy="make a tokenizer for the corpus: mmer tokenizer DIR",
        )
    return TextEmbedding(width, spec.vocab_size, spec.padding_idx, spec.dropout)
