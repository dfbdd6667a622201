"""MME2E, MESM and the late-fusion baselines the plain way: sequences cut apart one by one, whole maps, masks.

A straightforward re-implementation of the published networks with the key names of their checkpoints; the text model
and the face detector are left out: text comes as its CLS vector, faces as 48×48 pixels. It is the oracle of the tests,
what reference files are rebuilt with, and the "before" of the benchmark. The sparse layers are their equivalent on
whole maps with masks.

Source: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

MEAN, DEVIATION = (159.0, 111.0, 102.0), (37.0, 33.0, 32.0)


class PlainTransformer(nn.Module):
    """A learned row, then ``nn.TransformerEncoder``."""

    def __init__(self, dim: int, layers: int, heads: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(dim, heads)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.cls_emb = nn.Embedding(1, dim)

    def forward(self, x: Tensor, lens: Sequence[int] | None) -> Tensor:
        """[N, D] cut by lens, or [B, T, D] without → [B, D]."""
        mask = None
        if lens is not None:
            x = pad_sequence(list(x.split(list(lens))), batch_first=True)
            mask = torch.arange(x.shape[1] + 1)[None] > torch.tensor(list(lens))[:, None]
        x = torch.cat([self.cls_emb.weight.expand(len(x), 1, -1), x], dim=1)
        return self.encoder(x.transpose(0, 1), src_key_padding_mask=mask)[0]


class PlainVgg(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, padding=1), nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


def _low(channels: int) -> list[nn.Module]:
    first = [nn.Conv2d(channels, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)]
    return [*first, PlainVgg(64, 64), PlainVgg(64, 64)]


def plain_cnn(channels: int) -> nn.Sequential:
    """[N, channels, H, W] → [N, 512, H/16, W/16]."""
    high = [PlainVgg(64, 128), nn.MaxPool2d(2), PlainVgg(128, 256), nn.MaxPool2d(2), PlainVgg(256, 512)]
    return nn.Sequential(*_low(channels), *high, nn.MaxPool2d(2))


class PlainSparseConv(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(9, 1, n_in, n_out) * (2 / (9 * n_in)) ** 0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        kernel = self.weight[:, 0].permute(2, 1, 0).unflatten(2, (3, 3))
        return F.conv2d(x, kernel, padding=1) * mask[:, None]


class PlainSparseNorm(nn.Module):
    """Batch norm over active sites, then ReLU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1)[mask]
        y = F.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, self.training, 0.01, 1e-4
        )
        full = torch.zeros_like(x.permute(0, 2, 3, 1))
        full[mask] = F.relu(y)
        return full.permute(0, 3, 1, 2)


class PlainAttention(nn.Module):
    def __init__(self, channels: int, width: int, text: int) -> None:
        super().__init__()
        self.channel_affine = nn.Linear(channels, width)
        self.y_affine = nn.Linear(text, width, bias=False)
        self.attn_weight_affine = nn.Linear(width, 1)

    @torch.no_grad()
    def forward(self, x: Tensor, y: Tensor, mask: Tensor, threshold: float) -> Tensor:
        """[N, C, H, W], text [N, D], BoolTensor [N, H, W] → the sites that are kept."""
        e = self.channel_affine(x.permute(0, 2, 3, 1)) + self.y_affine(y)[:, None, None]
        e = self.attn_weight_affine(e.tanh()).squeeze(-1)
        kept = torch.zeros_like(mask)
        for n in range(len(x)):
            a = e[n][mask[n]].softmax(0)
            values, order = a.sort(descending=True)
            chosen = torch.zeros_like(a, dtype=torch.bool)
            chosen[order[values.cumsum(0) - values < threshold]] = True
            kept[n][mask[n]] = chosen
        return kept


class PlainSparseCNN(nn.Module):
    def __init__(self, channels: int, text: int, threshold: float, scramble: bool) -> None:
        super().__init__()
        self.low_level = nn.Sequential(*_low(channels))
        self.sparse_layers, self.attn_layers = nn.ModuleList(), nn.ModuleList()
        for n_in, n_out in ((64, 128), (128, 256), (256, 512)):
            parts = [
                PlainSparseConv(n_in, n_out),
                PlainSparseNorm(n_out),
                PlainSparseConv(n_out, n_out),
                PlainSparseNorm(n_out),
            ]
            self.sparse_layers.append(nn.ModuleList([nn.ModuleList(parts)]))
            self.attn_layers.append(PlainAttention(n_in, n_in, text))
        self.threshold, self.scramble = threshold, scramble

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        x = self.low_level(x)
        mask = torch.ones(len(x), *x.shape[2:], dtype=torch.bool)
        for stage, (attention, layers) in enumerate(zip(self.attn_layers, self.sparse_layers)):
            mask = attention(x, y, mask, self.threshold)
            if stage == 0 and self.scramble:
                rows = x.permute(0, 2, 3, 1)[mask]
                where = mask.permute(1, 2, 0).nonzero()
                x = torch.zeros_like(x.permute(0, 2, 3, 1))
                x = x.index_put((where[:, 2], where[:, 0], where[:, 1]), rows).permute(0, 3, 1, 2)
            x = x * mask[:, None]
            for layer in layers[0]:
                x = layer(x, mask)
            x, mask = F.max_pool2d(x, 2), F.max_pool2d(mask.float(), 2) > 0
        return x


class PlainMME2E(nn.Module):
    """``threshold``: the sparse variant."""

    def __init__(
        self, *, modalities: str = "tav", dim: int = 64, layers: int = 4, heads: int = 4, outputs: int = 6,
        text: int = 768, threshold: float | None = None, scramble: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.modalities, self.sparse = modalities, threshold is not None
        for letter, channels, size in (("V", 3, 4608), ("A", 1, 8192)):
            cnn = (
                plain_cnn(channels)
                if threshold is None
                else PlainSparseCNN(channels, text, threshold, scramble)
            )
            setattr(self, letter, cnn)
            flatten = nn.Sequential(nn.Linear(size, 1024), nn.ReLU(), nn.Linear(1024, dim))
            setattr(self, f"{letter.lower()}_flatten", flatten)
            setattr(self, f"{letter.lower()}_transformer", PlainTransformer(dim, layers, heads))
        self.t_out, self.v_out, self.a_out = (
            nn.Linear(text, outputs),
            nn.Linear(dim, outputs),
            nn.Linear(dim, outputs),
        )
        self.weighted_fusion = nn.Linear(len(modalities), 1, bias=False)

    def forward(
        self, text: Tensor, faces: Tensor, img_lens: Sequence[int], specs: Tensor, spec_lens: Sequence[int]
    ) -> Tensor:
        """CLS [B, D]; faces [Nf, 48, 48, 3] in 0…255; [Np, 1, 128, 32] → [B, C]."""
        logits = []
        if "t" in self.modalities:
            logits.append(self.t_out(text))
        if "v" in self.modalities:
            pixels = (faces - torch.tensor(MEAN).to(faces)) / torch.tensor(DEVIATION).to(faces)
            logits.append(self._branch("v", pixels.permute(0, 3, 1, 2), img_lens, text))
        if "a" in self.modalities:
            logits.append(self._branch("a", specs, spec_lens, text))
        return logits[0] if len(logits) == 1 else self.weighted_fusion(torch.stack(logits, -1)).squeeze(-1)

    def _branch(self, letter: str, x: Tensor, lens: Sequence[int], text: Tensor) -> Tensor:
        cnn = getattr(self, letter.upper())
        x = cnn(x, text.repeat_interleave(torch.tensor(list(lens)), dim=0)) if self.sparse else cnn(x)
        x = getattr(self, f"{letter}_flatten")(x.flatten(1))
        return getattr(self, f"{letter}_out")(getattr(self, f"{letter}_transformer")(x, lens))


class PlainLateFusion(nn.Module):
    """``layers`` of transformers, or 0: LSTMs."""

    def __init__(
        self, *, modalities: str = "tav", dims: Sequence[int] = (300, 144, 35), layers: int = 0,
        heads: Sequence[int] = (4, 2, 5), outputs: int = 6,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = {m: d for m, d in zip("tav", dims) if m in modalities}
        if layers:
            self.transformers = nn.ModuleDict(
                {m: PlainTransformer(d, layers, h) for (m, d), h in zip(sizes.items(), heads)}
            )
        else:
            self.rnns = nn.ModuleDict(
                {m: nn.LSTM(d, d, bidirectional=True, batch_first=True) for m, d in sizes.items()}
            )
        affines = {}
        for m, d in sizes.items():
            n_in, inside = (d, d // 2) if layers else (2 * d, d)
            affines[m] = nn.Sequential(nn.Linear(n_in, inside), nn.ReLU(), nn.Linear(inside, outputs))
        self.affines = nn.ModuleDict(affines)
        self.weighted_fusion = nn.Linear(len(sizes), 1, bias=False)

    def forward(
        self, text: Tensor, audio: Tensor, audio_lens: Sequence[int], video: Tensor, video_lens: Sequence[int]
    ) -> Tensor:
        """Text [B, T, D]; others [N, D] cut by lens → [B, C]."""
        given = {"t": (text, None), "a": (audio, audio_lens), "v": (video, video_lens)}
        logits = []
        for m, affine in self.affines.items():
            x, lens = given[m]
            if hasattr(self, "transformers"):
                y = self.transformers[m](x, lens)
            elif lens is None:
                y = self.rnns[m](x)[0][:, -1]
            else:
                last = self.rnns[m](pad_sequence(list(x.split(list(lens))), batch_first=True))[1][0]
                y = torch.cat([last[0], last[1]], dim=1)
            logits.append(affine(y))
        return logits[0] if len(logits) == 1 else self.weighted_fusion(torch.stack(logits, -1)).squeeze(-1)
