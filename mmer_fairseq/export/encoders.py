"""The small encoders as one graph for every batch: no look at lengths, no clip or step left out, no Fourier transform.

Each function here computes what ``encode`` of its encoder computes, for clips of at least one step; ``mmer export``
compares the numbers. Letters for shapes: B clips, T steps, D width, F frames, K frequencies.
"""

from __future__ import annotations

import math
from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.encoders import (
    embedding,
    face_pixels,
    frames,
    identity,
    logmel,
    mel_pieces,
    physio_cnn,
    standardise,
)
from mmer_fairseq.encoders.base import Encoder
from mmer_fairseq.encoders.images import unit_range
from mmer_fairseq.encoders.logmel import mel_filters
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.masks import padding_mask

Encoded = tuple[Tensor, Tensor]


def encoded(encoder: nn.Module, x: Tensor, lengths: Tensor, chunk: int = 0) -> Encoded:
    """What an encoder gives for a batch, see ``Encoder.forward``; where ``chunk`` is above 0, for its sub-sequences."""
    if chunk:
        batch, steps = x.shape[0], x.shape[1] // chunk
        valid = ~padding_mask(lengths // chunk, steps).flatten()
        y, inside = encoded(encoder, x.reshape(batch * steps, chunk, *x.shape[2:]), valid * chunk)
        y = y.sum(dim=1) / inside.clamp(min=1)[:, None]
        return y.view(batch, steps, y.shape[1]), lengths // chunk
    y, counts = EXPORTABLE[type(encoder)](encoder, x, lengths.clamp(min=1))
    counts = torch.where(lengths > 0, counts, 0)
    return y.masked_fill(padding_mask(counts, y.shape[1])[..., None], 0.0), counts


def check_exportable(modality: str, encoder: nn.Module) -> None:
    """Refuse an encoder that has no function here.

    Raises:
        InputError: it has none.
    """
    if type(encoder) not in EXPORTABLE:
        names = ", ".join(sorted(kind.__name__ for kind in EXPORTABLE))
        raise InputError.of(
            where=f"--path, encoder of {modality}",
            expected=f"one that can be exported ({names})",
            found=f"{type(encoder).__name__}, whose network is not ours",
            remedy="add --features-only: the exported model then takes what mmer extract makes with this encoder",
        )


def _plain(encoder: Encoder, x: Tensor, lengths: Tensor) -> Encoded:
    return encoder.encode(x, lengths)


def _embedding(encoder: embedding.TextEmbedding, x: Tensor, lengths: Tensor) -> Encoded:
    y = encoder.embedding(x)
    y = encoder.norm(y + encoder.position_scale * embedding.sinusoids(x.shape[1], encoder.inner, y))
    layer, mask = encoder.layer, padding_mask(lengths, x.shape[1])
    attention, z = layer.self_attn, layer.norm1(y)
    q, k, v = F.linear(z, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=2)
    q, k, v = (part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in (q, k, v))
    z = F.scaled_dot_product_attention(q, k, v, attn_mask=~mask[:, None, None, :])
    y = y + attention.out_proj(z.transpose(1, 2).flatten(2))
    y = encoder.out_norm(y + layer.linear2(F.gelu(layer.linear1(layer.norm2(y)))))
    return y if encoder.project is None else encoder.project(y), lengths


def _frame_cnn(encoder: frames.FrameCNN, x: Tensor, lengths: Tensor) -> Encoded:
    images = unit_range(x.flatten(0, 1), encoder.dtype)
    y = encoder.layers(encoder.standardise(images))
    return y.view(x.shape[0], x.shape[1], y.shape[1]), lengths


def _face_pixels(encoder: face_pixels.FacePixels, x: Tensor, lengths: Tensor) -> Encoded:
    mean, deviation = (torch.tensor(each).view(3, 1, 1) for each in face_pixels.SETS[encoder.which])
    dtype = x.dtype if x.is_floating_point() else torch.get_default_dtype()
    return (unit_range(x, dtype) * (255.0 / deviation) - mean / deviation).flatten(2), lengths


def _logmel(encoder: logmel.LogMel, x: Tensor, lengths: Tensor) -> Encoded:
    x = x.masked_fill(padding_mask(lengths, x.shape[1]), 0.0)
    # a clip shorter than a window is filled up to it; and a graph is made for two steps at least
    x = F.pad(x, (0, encoder.window + 2 * encoder.stride))
    n = torch.div(lengths.clamp(min=encoder.window) - encoder.window, encoder.hop, rounding_mode="floor") + 1
    power = _power(x, encoder.hann, encoder.hop, encoder.fft)
    energy = (power @ encoder.mel / encoder.window + logmel._FLOOR).log()
    mask = padding_mask(n, energy.shape[1])[..., None]
    mean = energy.masked_fill(mask, 0.0).sum(1, keepdim=True) / n[:, None, None]
    y = torch.cat([(energy + 8.0) / 4.0, (energy - mean) / 2.0], dim=-1).masked_fill(mask, 0.0)
    y = y.transpose(1, 2)
    for layer, norm, (_, stride) in zip(encoder.layers, encoder.norms, logmel._LAYERS):
        y = F.gelu(norm(layer(y).transpose(1, 2)))
        n = torch.div(n - 1, stride, rounding_mode="floor") + 1
        y = y.masked_fill(padding_mask(n, y.shape[1])[..., None], 0.0).transpose(1, 2)
    return encoder.project(y.transpose(1, 2)), n


def _mel_pieces(encoder: mel_pieces.MelPieces, x: Tensor, lengths: Tensor) -> Encoded:
    half, hop, piece = mel_pieces._WINDOW // 2, mel_pieces._HOP, mel_pieces.FRAMES
    x = F.pad(x.masked_fill(padding_mask(lengths, x.shape[1]), 0.0), (0, half + 1 + hop * piece))
    lengths = lengths.clamp(min=half + 1)
    own = lengths[:, None]
    place = torch.arange(-half, x.shape[1] + half)[None].abs()
    place = torch.minimum(place, 2 * (own - 1) - place).clamp(min=0)
    window = torch.hann_window(mel_pieces._WINDOW)
    mel = mel_filters(mel_pieces.BANDS, mel_pieces._WINDOW, mel_pieces.RATE, low=0.0)
    power = _power(x.gather(1, place), window, hop, mel_pieces._WINDOW) @ mel
    if encoder.log:
        power = (power.add(mel_pieces._FLOOR).log() + 2.0) / 4.0
    n = 1 + torch.div(lengths, hop, rounding_mode="floor")
    power = power.masked_fill(padding_mask(n, power.shape[1])[..., None], 0.0)
    pieces = (power.shape[1] + piece - 1) // piece
    places = torch.arange(pieces)[:, None] * piece + torch.arange(piece)
    y = F.pad(power, (0, 0, 0, piece))[:, places].transpose(2, 3).flatten(2)
    return y, torch.div(n + piece - 1, piece, rounding_mode="floor")


def _power(x: Tensor, window: Tensor, hop: int, size: int) -> Tensor:
    """[B, samples] → power in K = size // 2 + 1 frequencies, [B, F, K]: a convolution with sines and cosines."""
    t, k = torch.arange(len(window))[None], torch.arange(size // 2 + 1)[:, None]
    angles = ((t * k) % size).double() * (2 * math.pi / size)
    waves = torch.cat([angles.cos(), angles.sin()]) * window.double()
    y = F.conv1d(x[:, None], waves.float()[:, None], stride=hop)
    real, imaginary = y.chunk(2, dim=1)
    return (real.square() + imaginary.square()).transpose(1, 2)


def _physio(encoder: physio_cnn.PhysioCNN, x: Tensor, lengths: Tensor) -> Encoded:
    x = F.pad(x, (0, 0, 0, 2 * encoder.stride))
    y = ((x - encoder.mean) * encoder.scale).clamp(-physio_cnn._LIMIT, physio_cnn._LIMIT)
    y = y.masked_fill(padding_mask(lengths, y.shape[1])[..., None], 0.0).transpose(1, 2)
    for layer, norm, factor in zip(encoder.layers, encoder.norms, encoder.strides):
        lengths = torch.div(lengths + factor - 1, factor, rounding_mode="floor")
        y = layer(y)
        mask = padding_mask(lengths, y.shape[2])[:, None]
        count = (lengths * y.shape[1])[:, None, None]
        y = (y - y.masked_fill(mask, 0.0).sum((1, 2), keepdim=True) / count).masked_fill(mask, 0.0)
        variance = y.square().sum((1, 2), keepdim=True) / count
        y = y * (variance + physio_cnn._EPS).rsqrt() * norm[0][:, None] + norm[1][:, None]
        y = F.gelu(y).masked_fill(mask, 0.0)
    return encoder.project(y.transpose(1, 2)), lengths


EXPORTABLE: dict[type, Callable[..., Encoded]] = {
    identity.Identity: _plain,
    standardise.Standardise: _plain,
    embedding.TextEmbedding: _embedding,
    logmel.LogMel: _logmel,
    mel_pieces.MelPieces: _mel_pieces,
    frames.FrameCNN: _frame_cnn,
    face_pixels.FacePixels: _face_pixels,
    physio_cnn.PhysioCNN: _physio,
}
