"""FacialMMT the plain way: every padded step is computed, and each crossing runs by itself.

A straightforward re-implementation of the published network with the key names of its checkpoints. It is the oracle of
the tests, and what reference files are rebuilt with. ``masked`` leaves padding out of the crossings, one clip at a
time; a modality that a clip lacks is then left out, too.

Source: Zheng et al., ACL 2023 (FacialMMT); Liu et al., ICCV 2021, for the Swin transformer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.positions import sinusoids


class _SelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.heads = heads

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + (1.0 - mask[:, None, None]) * -10000.0
        return (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)


class _DenseNorm(nn.Module):
    def __init__(self, inside: int, dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inside, dim)
        self.LayerNorm = nn.LayerNorm(dim, eps=1e-12)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.selfatt = _SelfAttention(dim, heads)
        self.dense_norm = _DenseNorm(dim, dim)


class _Intermediate(nn.Module):
    def __init__(self, dim: int, inside: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, inside)


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int, inside: int) -> None:
        super().__init__()
        self.transformer_self_attention = _Attention(dim, heads)
        self.intermediate = _Intermediate(dim, inside)
        self.output = _DenseNorm(inside, dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        attention = self.transformer_self_attention
        x = attention.dense_norm(attention.selfatt(x, mask), x)
        return self.output(F.gelu(self.intermediate.dense(x)), x)


class _Encoder(nn.Module):
    def __init__(self, dim: int, heads: int, inside: int, layers: int, steps: int) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(steps, dim)
        self.layer = nn.ModuleList(_Layer(dim, heads, inside) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.position_embeddings.weight[: x.shape[1]]
        for layer in self.layer:
            x = layer(x, mask)
        return x


class _CrossingLayer(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.layer_norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        q, kv = self.layer_norms[0](x), self.layer_norms[0](memory)
        if memory.shape[1]:
            x = x + self.self_attn(q, kv, kv)[0]
        return x + self.fc2(F.gelu(self.fc1(self.layer_norms[1](x))))


class _Crossing(nn.Module):
    def __init__(self, dim: int, heads: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_CrossingLayer(dim, heads) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(dim)

    def _embed(self, x: Tensor, places: Tensor) -> Tensor:
        table = sinusoids(int(places.max()) + 1 if len(places) else 1, x.shape[2]).to(x)
        return math.sqrt(x.shape[2]) * x + table[places] * (x[..., :1] != 0)

    def forward(self, x: Tensor, memory: Tensor, places: Tensor, memory_places: Tensor) -> Tensor:
        x, memory = self._embed(x, places), self._embed(memory, memory_places)
        for layer in self.layers:
            x = layer(x, memory)
        return self.layer_norm(x)


class _Pooling(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query_vector = nn.Parameter(torch.randn(dim))
        self.value, self.P, self.Q = nn.Linear(dim, 1), nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = self.value(torch.tanh(self.P(x) + self.Q(self.query_vector))).squeeze(2)
        return (scores.masked_fill(mask == 0, float("-inf")).softmax(dim=1)[:, None] @ x).squeeze(1)


class PlainUnimodal(nn.Module):
    """Picture alone."""

    def __init__(
        self, *, width: int = 512, dim: int = 768, heads: int = 12, inside: int = 3072, layers: int = 2,
        steps: int = 60, outputs: int = 7,
    ) -> None:  # fmt: skip
        super().__init__()
        self.modality_linear = nn.Linear(width, dim)
        self.utt_transformer = _Encoder(dim, heads, inside, layers, steps)
        self.attention = _Pooling(dim)
        self.classifier = nn.Linear(dim, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        mask = (torch.arange(x.shape[1]) < lengths[:, None]).to(x)
        return self.classifier(self.attention(self.utt_transformer(self.modality_linear(x), mask), mask))


class PlainFacialMMT(nn.Module):
    """Text, sound and picture behind the language model."""

    def __init__(
        self, *, widths: Sequence[int] = (1024, 768, 519), dim: int = 768, heads: int = 12, inside: int = 3072,
        audio_layers: int = 5, vision_layers: int = 2, crossing_layers: int = 2,
        steps: Sequence[int] = (38, 60, 60), outputs: int = 7,
    ) -> None:  # fmt: skip
        super().__init__()
        self.text_linear, self.audio_linear, self.vision_linear = (nn.Linear(w, dim) for w in widths)
        self.audio_utt_transformer = _Encoder(dim, heads, inside, audio_layers, steps[1])
        self.vision_utt_transformer = _Encoder(dim, heads, inside, vision_layers, steps[2])
        self.attention = _Pooling(dim)
        self.CrossModalTrans_TA = _Crossing(dim, heads, crossing_layers)
        self.CrossModalTrans_TA_V = _Crossing(dim, heads, crossing_layers)
        self.classifier = nn.Linear(dim, outputs)
        self.steps = tuple(steps)

    def forward(self, streams: Sequence[Tensor], lengths: Sequence[Tensor], masked: bool = False) -> Tensor:
        """Text [B, T, width] of the utterance alone, sound, picture → logits [B, C]."""
        if masked:
            rows = [
                self._one(*(x[i : i + 1, : int(n[i])] for x, n in zip(streams, lengths)))
                for i in range(len(lengths[0]))
            ]
            return self.classifier(torch.cat(rows))
        text, audio, vision = (
            F.pad(x, (0, 0, 0, steps - x.shape[1])) for x, steps in zip(streams, self.steps)
        )
        masks = [(torch.arange(steps) < n[:, None]).to(text) for steps, n in zip(self.steps, lengths)]
        t = self.text_linear(text) * masks[0][..., None]
        a = self.audio_utt_transformer(self.audio_linear(audio), masks[1])
        v = self.vision_utt_transformer(self.vision_linear(vision), masks[2])
        return self.classifier(self.attention(self._fuse(t, a, v), torch.cat(masks, dim=1)))

    def _one(self, text: Tensor, audio: Tensor, vision: Tensor) -> Tensor:
        parts = [self.text_linear(text)]
        for x, linear, encoder in (
            (audio, self.audio_linear, self.audio_utt_transformer),
            (vision, self.vision_linear, self.vision_utt_transformer),
        ):
            parts.append(encoder(linear(x), torch.ones_like(x[..., 0])) if x.shape[1] else linear(x))
        x = self._fuse(*parts)
        return (
            self.attention(x, torch.ones_like(x[..., 0]))
            if x.shape[1]
            else self.classifier.weight.new_zeros(1, self.classifier.in_features)
        )

    def _fuse(self, t: Tensor, a: Tensor, v: Tensor) -> Tensor:
        t_places, a_places, v_places = (torch.arange(x.shape[1]) for x in (t, a, v))
        first = self.CrossModalTrans_TA
        ta = torch.cat([first(t, a, t_places, a_places), first(a, t, a_places, t_places)], dim=1)
        places = torch.cat([t_places, self.steps[0] + a_places])
        second = self.CrossModalTrans_TA_V
        return torch.cat([second(ta, v, places, v_places), second(v, ta, v_places, places)], dim=1)


class _WindowAttention(nn.Module):
    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * window - 1) ** 2, heads) * 0.02)
        at = torch.stack(torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None] + window - 1
        self.register_buffer("relative_position_index", apart[0] * (2 * window - 1) + apart[1])
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.heads = heads

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[windows, patches, D]; mask [windows of an image, patches, patches]."""
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias
        if mask is not None:
            scores = scores + mask.repeat(len(x) // len(mask), 1, 1)[:, None]
        return self.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, window: int, side: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn, self.mlp = _WindowAttention(dim, heads, window), _Mlp(dim)
        self.window, self.side, self.shift = window, side, shift
        self.attn_mask: Tensor | None
        self.register_buffer("attn_mask", self._mask() if shift else None)

    def _mask(self) -> Tensor:
        """-100 between patches that only the shift made neighbours."""
        band = torch.zeros(self.side, dtype=torch.long)
        band[-self.window :], band[-self.shift :] = 1, 2
        regions = self._windows((3 * band[:, None] + band)[None, ..., None].float()).squeeze(2)
        return (regions[:, None] != regions[:, :, None]).float() * -100.0

    def _windows(self, x: Tensor) -> Tensor:
        n = self.side // self.window
        x = x.view(-1, n, self.window, n, self.window, x.shape[-1]).transpose(2, 3)
        return x.reshape(-1, self.window**2, x.shape[-1])

    def forward(self, x: Tensor) -> Tensor:
        """[N, side, side, D]."""
        n = self.side // self.window
        y = self.norm1(x).roll((-self.shift, -self.shift), (1, 2))
        y = self.attn(self._windows(y), self.attn_mask)
        y = y.view(-1, n, n, self.window, self.window, x.shape[-1]).transpose(2, 3).reshape(x.shape)
        x = x + y.roll((self.shift, self.shift), (1, 2))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class _Merging(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction, self.norm = nn.Linear(4 * dim, 2 * dim, bias=False), nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))]
        return self.reduction(self.norm(torch.cat(parts, dim=-1)))


class _Stage(nn.Module):
    def __init__(self, dim: int, heads: int, window: int, side: int, depth: int, last: bool) -> None:
        super().__init__()
        shifts = [window // 2 if i % 2 and side > window else 0 for i in range(depth)]
        self.blocks = nn.ModuleList(_Block(dim, heads, window, side, shift) for shift in shifts)
        self.downsample = None if last else _Merging(dim)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class _Patches(nn.Module):
    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.proj, self.norm = nn.Conv2d(3, dim, patch, patch), nn.LayerNorm(dim)


class _Swin(nn.Module):
    def __init__(
        self,
        size: int,
        patch: int,
        dim: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        face: int,
    ) -> None:
        super().__init__()
        self.patch_embed = _Patches(dim, patch)
        side, count = size // patch, len(depths)
        self.layers = nn.ModuleList(
            _Stage(dim << i, heads[i], window, side >> i, depths[i], i == count - 1) for i in range(count)
        )
        width, side = dim << (count - 1), side >> (count - 1)
        self.output_layer = nn.Sequential(
            nn.LayerNorm(width), nn.Flatten(), nn.Linear(width * side * side, face), nn.BatchNorm1d(face)
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed.norm(self.patch_embed.proj(images).permute(0, 2, 3, 1))
        for stage in self.layers:
            x = stage(x)
        return self.output_layer(x)


class PlainSwinFace(nn.Module):
    """The face model without stochastic depth: [N, 3, S, S] → vectors of the face, logits."""

    def __init__(
        self, *, size: int = 224, patch: int = 4, dim: int = 96, depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24), window: int = 7, face: int = 512, hidden: int = 64,
        outputs: int = 7,
    ) -> None:  # fmt: skip
        super().__init__()
        self.swin = _Swin(size, patch, dim, depths, heads, window, face)
        self.linear, self.classifier = nn.Linear(face, hidden), nn.Linear(hidden, outputs)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.swin(images)
        return features, self.classifier(F.relu(self.linear(features)))
