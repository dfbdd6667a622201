"""AuxFormer the plain way: padding is computed, every query runs, attention weights are returned and thrown away.

A straightforward re-implementation of the published network with the key names of its checkpoints. It is the
oracle of the tests, what reference files are rebuilt with, and the "before" of the benchmark.

Source: Goncalves and Busso, "AuxFormer: Robust Approach to Audiovisual Emotion Recognition", ICASSP 2022.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainLayer(nn.Module):
    """Pre-norm attention and feed-forward; ``scalar``: learned mixing in place of plain residuals."""

    def __init__(
        self, dim: int, heads: int, attention: float, relu: float, residual: float, scalar: bool
    ) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, dropout=attention)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.layer_norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.alpha = nn.Parameter(torch.rand(1)) if scalar else None
        self.relu, self.residual = relu, residual

    def _mix(self, x: Tensor, y: Tensor) -> Tensor:
        y = F.dropout(y, self.residual, self.training)
        return x + y if self.alpha is None else self.alpha * x + (1 - self.alpha) * y

    def forward(self, x: Tensor, k: Tensor | None, v: Tensor | None, mask: Tensor | None) -> Tensor:
        q = self.layer_norms[0](x)
        k, v = (q, q) if k is None or v is None else (self.layer_norms[0](k), self.layer_norms[0](v))
        x = self._mix(x, self.self_attn(q, k, v, attn_mask=mask)[0])
        y = F.dropout(F.relu(self.fc1(self.layer_norms[1](x))), self.relu, self.training)
        return self._mix(x, self.fc2(y))


class PlainEncoder(nn.Module):
    """Scaling, positions, layers, LayerNorm; time first."""

    def __init__(
        self, dim: int, heads: int, layers: int, dropouts: tuple[float, float, float, float],
        scalar: bool, positions: bool, causal: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        attention, relu, residual, self.embed = dropouts
        self.layers = nn.ModuleList(
            PlainLayer(dim, heads, attention, relu, residual, scalar) for _ in range(layers)
        )
        self.layer_norm = nn.LayerNorm(dim)
        self.positions, self.causal = positions, causal

    def _embed(self, x: Tensor) -> Tensor:
        y = math.sqrt(x.shape[-1]) * x
        if self.positions:
            half = x.shape[-1] // 2
            w = torch.exp(torch.arange(half, dtype=torch.float) * -(math.log(10000) / (half - 1)))
            angles = torch.arange(1, len(x) + 1, dtype=torch.float)[:, None] * w[None]
            table = torch.cat([angles.sin(), angles.cos(), torch.zeros(len(x), x.shape[-1] % 2)], dim=1).to(x)
            y = y + table[:, None] * (x[..., :1] != 0).to(x)
        return F.dropout(y, self.embed, self.training)

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        keys = None if memory is None else self._embed(memory)
        values = None if memory is None else self._embed(memory)
        mask = None
        if self.causal:
            steps = len(x) if memory is None else len(memory)
            mask = torch.full((len(x), steps), float("-inf"), dtype=x.dtype).triu(1 + abs(steps - len(x)))
        x = self._embed(x)
        for layer in self.layers:
            x = layer(x, keys, values, mask)
        return self.layer_norm(x)


class PlainAuxFormer(nn.Module):
    """v2 projects sound (``conv_1d_a``), v1 projects picture (``conv_1d_v``): whichever is not ``dim`` wide."""

    def __init__(
        self, *, audio_dim: int = 1024, video_dim: int = 50, dim: int = 50, heads: int = 10, layers: int = 5,
        outputs: int = 6, causal: bool = True, dropout: float = 0.1, embed_dropout: float = 0.25,
        out_dropout: float = 0.2,
    ) -> None:  # fmt: skip
        super().__init__()
        if audio_dim != dim:
            self.conv_1d_a = nn.Conv1d(audio_dim, dim, 1, bias=False)
        if video_dim != dim:
            self.conv_1d_v = nn.Conv1d(video_dim, dim, 1, bias=False)

        def encoder(attention: float, scalar: bool = False, positions: bool = False) -> PlainEncoder:
            dropouts = (attention, dropout, dropout, embed_dropout)
            return PlainEncoder(dim, heads, layers, dropouts, scalar, positions, causal)

        self.trans_a_with_v, self.trans_v_with_a = encoder(0.0, positions=True), encoder(0.0, positions=True)
        self.trans_a_mem, self.trans_v_mem = encoder(dropout, scalar=True), encoder(dropout, scalar=True)
        self.a_mem, self.v_mem = encoder(dropout), encoder(dropout)
        self.proj1, self.proj2 = nn.Linear(2 * dim, 2 * dim), nn.Linear(2 * dim, 2 * dim)
        self.out_layer = nn.Linear(2 * dim, outputs)
        self.proj_aux1, self.proj_aux2 = nn.Linear(dim, 512), nn.Linear(512, 256)
        self.proj_aux3, self.out_layer_aux = nn.Linear(256, dim), nn.Linear(dim, outputs)
        self.out_dropout = out_dropout

    def forward(self, audio: Tensor, video: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, T, D] each → logits [B, C] of main network, sound, picture."""
        a, v = audio, video
        if hasattr(self, "conv_1d_a"):
            a = self.conv_1d_a(a.transpose(1, 2)).transpose(1, 2)
        if hasattr(self, "conv_1d_v"):
            v = self.conv_1d_v(v.transpose(1, 2)).transpose(1, 2)
        a, v = a.transpose(0, 1), v.transpose(0, 1)
        r_a = self.trans_a_mem(self.trans_a_with_v(a, v))[-1]
        r_v = self.trans_v_mem(self.trans_v_with_a(v, a))[-1]
        z = torch.cat([r_a, r_v], dim=1)
        y = self.proj2(F.dropout(F.relu(self.proj1(z)), self.out_dropout, self.training))
        return self.out_layer(z + y), self._alone(self.a_mem, a), self._alone(self.v_mem, v)

    def _alone(self, encoder: PlainEncoder, x: Tensor) -> Tensor:
        g = encoder(encoder(encoder(x)))[-1]
        y = g
        for layer in (self.proj_aux1, self.proj_aux2):
            y = F.dropout(F.relu(layer(y)), self.out_dropout, self.training)
        return self.out_layer_aux(g + self.proj_aux3(y))
