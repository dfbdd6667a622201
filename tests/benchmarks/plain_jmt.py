"""JMT the plain way: every token attends in full, nothing is masked, and the layers that nothing uses are there.

A straightforward re-implementation of the published networks with the key names of their checkpoints. It is the
oracle of the tests, what reference files are rebuilt with, and the "before" of the benchmark.

Source: Waligora et al., "Joint Multimodal Transformer for Emotion Recognition in the Wild", CVPR workshops 2024.

Letters for shapes: B clips, S steps, D width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 128


class PlainLayer(nn.Module):
    """Post-norm self-attention and feed-forward; sequence first."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads)
        self.feed_forward = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer_norm1(x + self.attention(x, x, x)[0])
        return self.layer_norm2(x + self.feed_forward(x))


class PlainBlock(nn.Module):
    """Layers, and nothing after the last."""

    def __init__(self, dim: int, heads: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PlainLayer(dim, heads, hidden) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class PlainJoint(nn.Module):
    """Cross-attention between two streams and their joint representation."""

    def __init__(self, dim: int, heads: int, layers: int, output: str) -> None:
        super().__init__()
        self.visual_encoder = PlainBlock(dim, heads, dim, layers)
        self.physiological_encoder = PlainBlock(dim, heads, dim, layers)
        self.joint_representation_encoder = PlainBlock(dim, heads, dim, layers)
        self.final_encoder = PlainBlock(6 * dim, heads, dim, layers)  # unused
        self.cross_attention_v = nn.MultiheadAttention(dim, heads)
        self.cross_attention_p = nn.MultiheadAttention(dim, heads)
        self.cross_attention_pv = nn.MultiheadAttention(dim, heads)
        self.out_layer_pv = nn.Linear(2 * dim, dim)
        if output == "FC":
            self.out_layer1 = nn.Linear(6 * dim, 2 * dim)
        else:
            self.final_visual_encoder = PlainBlock(dim, heads, dim, layers)
            self.final_self_attention = nn.MultiheadAttention(dim, heads)
        self.output = output

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        joint = self.out_layer_pv(torch.cat([video, audio], dim=-1)).transpose(0, 1)
        v = self.visual_encoder(video.transpose(0, 1))
        p = self.physiological_encoder(audio.transpose(0, 1))
        j = self.joint_representation_encoder(joint)
        of_v, of_p, of_j = self.cross_attention_v, self.cross_attention_p, self.cross_attention_pv
        asked = ((of_v, v, p), (of_p, p, v), (of_j, j, v), (of_v, v, j), (of_j, j, p), (of_p, p, j))
        crossed = [attention(query, memory, memory)[0] for attention, query, memory in asked]
        if self.output == "FC":
            return self.out_layer1(torch.cat(crossed, dim=-1))  # [S, B, 2 D], as the original leaves it
        tokens = self.final_visual_encoder(torch.stack(crossed).flatten(1, 2))  # [6, S·B, D]
        last = self.final_self_attention(tokens, tokens, tokens)[0][-1]
        return last.view(*v.shape).transpose(0, 1)


class PlainCrossed(nn.Module):
    """The baseline without a joint representation; its encoders attend over the batch, unless ``over_time``."""

    def __init__(self, dim: int, heads: int, layers: int, over_time: bool) -> None:
        super().__init__()
        self.visual_encoder = PlainBlock(dim, heads, dim, layers)
        self.physiological_encoder = PlainBlock(dim, heads, dim, layers)
        self.cross_attention_v = nn.MultiheadAttention(dim, heads)
        self.cross_attention_p = nn.MultiheadAttention(dim, heads)
        self.gated_attention = nn.Linear(2 * dim, 1)  # unused
        self.final_layer = nn.Linear(2 * dim, dim)
        self.over_time = over_time

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        if self.over_time:
            v = self.visual_encoder(video.transpose(0, 1))
            p = self.physiological_encoder(audio.transpose(0, 1))
        else:
            v = self.visual_encoder(video).transpose(0, 1)
            p = self.physiological_encoder(audio).transpose(0, 1)
        crossed = [self.cross_attention_v(v, p, p)[0], self.cross_attention_p(p, v, v)[0]]
        return self.final_layer(torch.cat(crossed, dim=-1)).transpose(0, 1)


class PlainConcatenated(nn.Module):
    """One linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * dim, dim)

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        return self.fc(torch.cat([video, audio], dim=-1))


class PlainJMT(nn.Module):
    """The whole fusion: sound and picture [B, S, D] → valence and arousal, [B, S] each ([S, B] where the original
    leaves them so: TRANSFORMER with FC)."""

    def __init__(
        self, joint: str = "TRANSFORMER", output: str = "SELF_ATTEN", *, dim: int = 512, heads: int = 1,
        layers: int = 1, dropout: float = 0.0, over_time: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mm_transformer: nn.Module
        if joint == "TRANSFORMER":
            self.mm_transformer = PlainJoint(dim, heads, layers, output)
        elif joint == "NONE":
            self.mm_transformer = PlainCrossed(dim, heads, layers, over_time)
        else:
            self.mm_transformer = PlainConcatenated(dim)
        width = 2 * dim if (joint, output) == ("TRANSFORMER", "FC") else dim
        self.vregressor, self.aregressor = _head(width, 1, dropout), _head(width, 1, dropout)

    def forward(self, audio: Tensor, video: Tensor) -> list[Tensor]:
        video, audio = (F.normalize(x, dim=-1) for x in (video, audio))
        fused = self.mm_transformer(video, audio)
        return [self.vregressor(fused).squeeze(2), self.aregressor(fused).squeeze(2)]


class PlainPretrainer(nn.Module):
    """The head behind a single backbone: [B, S, D] → valence and arousal, [B, S] each."""

    def __init__(self, dim: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.regressor = _head(dim, 2, dropout)

    def forward(self, x: Tensor) -> list[Tensor]:
        return list(self.regressor(x).unbind(-1))


class PlainIntra(nn.Module):
    """Two backbones of one modality as two tokens; ``fc`` is there even where nothing is ``other`` wide."""

    def __init__(self, dim: int = 512, heads: int = 1, layers: int = 1, other: int = 768) -> None:
        super().__init__()
        self.final_visual_encoder = PlainBlock(dim, heads, dim, layers)
        self.final_self_attention = nn.MultiheadAttention(dim, heads)
        self.fc = nn.Linear(other, dim)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = (self.fc(x) if x.shape[-1] == self.fc.in_features else x for x in (a, b))
        tokens = self.final_visual_encoder(torch.stack([a, b]).flatten(1, 2))
        return self.final_self_attention(tokens, tokens, tokens)[0][-1].view_as(a)


class PlainFcLayer(nn.Module):
    """Two backbones of one modality side by side, and one linear layer."""

    def __init__(self, width: int, dim: int = 512) -> None:
        super().__init__()
        self.fc_layer = nn.Linear(width, dim)

    def forward(self, *parts: Tensor) -> Tensor:
        return self.fc_layer(torch.cat(parts, dim=-1))


def _head(width: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, outputs))
