"""SSE-FT the plain way: every query runs, keys and values are projected step by step, padding is computed.

A straightforward re-implementation of the paper's fusion and head. It is the oracle of the tests and the
"before" of the benchmark. Its parameters carry the key names of the original checkpoints, so its state dict
is what a user's old file holds.

Source: Siriwardhana et al., "Multimodal Emotion Recognition with Transformer-Based Self Supervised Feature
Fusion", IEEE Access 2020.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAIRS = ("ta", "at", "av", "va", "tv", "vt")


class PlainAttention(nn.Module):
    """Multi-head attention with every score written out; ``cross``: the memory is another sequence."""

    def __init__(self, query_dim: int, memory_dim: int, heads: int, dropout: float, cross: bool) -> None:
        super().__init__()
        self.heads, self.dropout, self.cross = heads, dropout, cross
        if cross:
            self.q_proj_weight = nn.Parameter(torch.empty(query_dim, query_dim))
            self.k_proj_weight = nn.Parameter(torch.empty(query_dim, memory_dim))
            self.v_proj_weight = nn.Parameter(torch.empty(query_dim, memory_dim))
        else:
            self.in_proj_weight = nn.Parameter(torch.empty(3 * query_dim, query_dim))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * query_dim))
        self.out_proj = nn.Linear(query_dim, query_dim)

    def forward(self, query: Tensor, memory: Tensor, padding: Tensor) -> Tensor:
        """query [T, B, D], memory [S, B, E], padding BoolTensor [B, S] → [T, B, D]."""
        steps, batch, dim = query.shape
        width = dim // self.heads
        if self.cross:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        else:
            weights = self.in_proj_weight.chunk(3)
        inputs, biases = (query, memory, memory), self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, w, b).view(-1, batch * self.heads, width).transpose(0, 1)
            for x, w, b in zip(inputs, weights, biases)
        )
        scores = torch.bmm(q * width**-0.5, k.transpose(1, 2)).view(batch, self.heads, steps, -1)
        scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
        attention = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
        mixed = torch.bmm(attention.view(batch * self.heads, steps, -1), v)
        return self.out_proj(mixed.transpose(0, 1).reshape(steps, batch, dim))


class PlainLayer(nn.Module):
    """Attention, residual, LayerNorm, feed-forward, residual, LayerNorm."""

    def __init__(
        self, query_dim: int, memory_dim: int, ffn_dim: int, heads: int, dropout: float, cross: bool
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attn = PlainAttention(query_dim, memory_dim, heads, dropout, cross)
        self.self_attn_layer_norm = nn.LayerNorm(query_dim)
        self.fc1 = nn.Linear(query_dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, query_dim)
        self.final_layer_norm = nn.LayerNorm(query_dim)

    def forward(self, x: Tensor, memory: Tensor, padding: Tensor) -> Tensor:
        y = F.dropout(self.self_attn(x, memory, padding), self.dropout, self.training)
        x = self.self_attn_layer_norm(x + y)
        y = F.dropout(self.fc2(F.gelu(self.fc1(x))), self.dropout, self.training)
        return self.final_layer_norm(x + y)


class PlainFusion(nn.Module):
    """Steps 1 to 4 of the paper's fusion: what the original calls its sentence encoder."""

    def __init__(
        self,
        modalities: str,
        dims: dict[str, int],
        positions: dict[str, int],
        ffn_dim: int,
        heads: int,
        layers: int,
        cross_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.modalities, self.dropout = modalities, dropout
        for m in modalities.replace("t", ""):
            self.add_module(f"SE_embeddings_{m}", nn.Embedding(1, dims[m]))
            self.add_module(f"embed_positions_{m}", nn.Embedding(positions[m] + 2, dims[m], padding_idx=1))
            self.add_module(f"emb_layer_norm_{m}", nn.LayerNorm(dims[m]))
            stack = (
                PlainLayer(dims[m], dims[m], ffn_dim, heads, dropout, cross=False) for _ in range(layers)
            )
            self.add_module(f"layers_{m}", nn.ModuleList(stack))
        self.pairs = [p for p in PAIRS if p[0] in modalities and p[1] in modalities]
        for q, k in self.pairs:
            stack = (
                PlainLayer(dims[q], dims[k], ffn_dim, heads, dropout, cross=True) for _ in range(cross_layers)
            )
            self.add_module(f"layers_{q}{k}", nn.ModuleList(stack))

    def forward(self, streams: dict[str, Tensor], lengths: dict[str, Tensor]) -> dict[str, Tensor]:
        """Run every pair on every step; keep step 0. Keys: 't', 'a', 'v' and the pairs, e.g. 'ta'."""
        memory, padding, out = {}, {}, {}
        for m in self.modalities:
            x, valid = streams[m], lengths[m]
            if m != "t":
                start = getattr(self, f"SE_embeddings_{m}").weight.expand(x.shape[0], 1, -1)
                x, valid = torch.cat([start, x], dim=1), valid + 1
            steps = torch.arange(x.shape[1])[None, :]
            padding[m] = steps >= valid[:, None]
            if m != "t":
                rows = torch.where(padding[m], torch.ones_like(steps), steps + 2)
                x = getattr(self, f"emb_layer_norm_{m}")(x + getattr(self, f"embed_positions_{m}")(rows))
                x = F.dropout(x, self.dropout, self.training)
            x = (x * (~padding[m])[:, :, None].type_as(x)).transpose(0, 1)
            if m != "t":
                for layer in getattr(self, f"layers_{m}"):
                    x = layer(x, x, padding[m])
            memory[m] = x
            out[m] = x[0]
        for q, k in self.pairs:
            x = memory[q]
            for layer in getattr(self, f"layers_{q}{k}"):
                x = layer(x, memory[k], padding[k])
            out[q + k] = x[0]
        return out


class PlainSSEFT(nn.Module):
    """Fusion and head; ``modalities``: any of 't', 'a', 'v' in this order, e.g. 'tav'."""

    def __init__(
        self,
        modalities: str = "tav",
        *,
        dims: dict[str, int],
        positions: dict[str, int],
        ffn_dim: int,
        heads: int,
        layers: int,
        cross_layers: int,
        outputs: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.modalities, self.dropout = modalities, dropout
        self.decoder = nn.Module()
        self.decoder.sentence_encoder = PlainFusion(
            modalities, dims, positions, ffn_dim, heads, layers, cross_layers, dropout
        )
        width = sum(dims[m] for m in modalities)
        head = nn.Module()
        head.dense, head.out_proj = nn.Linear(width, width), nn.Linear(width, outputs)
        self.classification_heads = nn.ModuleDict({"emotion_classification_head": head})
        for name, parameter in self.named_parameters():
            # Norms keep their 1; biases get enough spread for a mistake in them to show.
            if "norm" not in name or name.endswith("bias"):
                nn.init.normal_(parameter, std=0.02 if parameter.dim() > 1 else 0.1)
            if "embed_positions" in name:
                parameter.data[1] = 0

    def forward(self, streams: dict[str, Tensor], lengths: dict[str, Tensor]) -> dict[str, Tensor]:
        """streams {'t': [B, T, D], …}, lengths {'t': LongTensor [B], …} → step-0 vectors and 'logits'."""
        out = self.decoder.sentence_encoder(streams, lengths)
        if self.modalities == "tav":
            parts = [out["ta"] * out["tv"], out["at"] * out["av"], out["vt"] * out["va"]]
            x = torch.cat([parts[0], parts[2], parts[1]], dim=-1)
        elif len(self.modalities) == 2:
            first, second = self.modalities
            x = torch.cat([out[first + second], out[second + first]], dim=-1)
        else:
            x = out[self.modalities]
        head = self.classification_heads["emotion_classification_head"]
        x = torch.tanh(head.dense(F.dropout(x, self.dropout, self.training)))
        out["logits"] = head.out_proj(F.dropout(x, self.dropout, self.training))
        return out
