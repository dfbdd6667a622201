"""FacialMMT as one graph for every batch: sequences stay padded where the network packs and interleaves them.

Letters for shapes: B clips, T steps, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.modules.frame_filter import FrameFilter
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.mult import Memory, MulTEncoder
from mmer_fairseq.modules.positions import sinusoids
from mmer_fairseq.modules.rows import Rows
from mmer_fairseq.modules.step_encoder import StepEncoder
from mmer_fairseq.networks.facialmmt import FacialMMT


@dataclass(frozen=True)
class _Padded:
    """Part of a batch.

    Attributes:
        x: [B, T, D].
        real: BoolTensor [B, T].
        places: [P], what the positions of its steps are taken from.
        there: BoolTensor [B].
        span: steps that it can have at most.
    """

    x: Tensor
    real: Tensor
    places: Tensor
    there: Tensor
    span: int

    @property
    def padding(self) -> Tensor:
        """BoolTensor [B, T], but the first step of a clip without any is seen: attention needs one."""
        first = torch.arange(self.x.shape[1])[None] == 0
        return ~self.real & ~(first & ~self.there[:, None])


class PaddedFacialMMT(nn.Module):
    """A FacialMMT in evaluation; see there."""

    def __init__(self, network: FacialMMT) -> None:
        super().__init__()
        self.network = network

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """[B, T, width] and LongTensor [B] of each modality → {"logits": [B, C]}; within ``dense()``."""
        first, *others = (self._read(m, streams[m], lengths[m]) for m in self.network.modalities)
        fused = first
        for crossing, other in zip(self.network.crossings.values(), others):
            assert isinstance(crossing, MulTEncoder)
            of_a, of_b = self._crossed(crossing, fused, other), self._crossed(crossing, other, fused)
            fused = _Padded(
                torch.cat([of_a, of_b], dim=1),
                torch.cat([fused.real, other.real], dim=1),
                torch.cat([fused.places, other.places + fused.span]),
                fused.there | other.there,
                fused.span + other.span,
            )
        pooled = self.network.pooling(fused.x.flatten(0, 1), _rows(fused), ~fused.real)
        return {"logits": self.network.classifier(pooled)}

    def _read(self, modality: str, x: Tensor, lengths: Tensor) -> _Padded:
        limit = self.network.steps[modality]
        given = lengths.clamp(max=limit)  # what is behind is padding
        there = given > 0
        x = x.masked_fill(padding_mask(given, x.shape[1])[..., None], 0.0)
        places = torch.arange(x.shape[1]).clamp(max=limit - 1)
        y = self.network.projections[modality](x)
        rows = Rows(given.clamp(min=1), steps=y.shape[1])
        if modality in self.network.encoders:
            own = self.network.encoders[modality]
            assert isinstance(own, StepEncoder)
            positions = own.positions.weight.index_select(0, places)
            y = rows.unpack(own.encoder(rows.pack(y + positions), rows))
        return _Padded(y, ~padding_mask(given, y.shape[1]), places, there, limit)

    def _crossed(self, crossing: MulTEncoder, query: _Padded, memory: _Padded) -> Tensor:
        table = sinusoids(max(query.span, memory.span), self.network.dim)
        embedded = []
        for own in (query, memory):
            positions = table.index_select(0, own.places).expand(own.x.shape[0], -1, -1)
            embedded.append((own.x.flatten(0, 1), positions.flatten(0, 1)))
        there = memory.there[:, None, None].to(query.x)
        around = Memory(crossing.embedded(*embedded[1]), _rows(memory), memory.padding, there)
        x, positions = embedded[0]
        y = crossing(x, _rows(query), positions, around)
        return y.view(query.x.shape[0], query.x.shape[1], y.shape[1])


def _rows(own: _Padded) -> Rows:
    """All steps: who sees which is said by ``padding``."""
    steps = own.x.shape[1]
    return Rows(torch.ones_like(own.there, dtype=torch.long) * steps, steps=steps)


def without_ends(x: Tensor, lengths: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """As in ``modules/dialogue.py``, with steps to spare."""
    kept = (lengths - first - last).clamp(min=0)
    rest = F.pad(x, (0, 0, 0, first))[:, first:]
    return rest.masked_fill(padding_mask(kept, rest.shape[1])[..., None], 0.0), kept


def filtered(own: FrameFilter, features: Tensor, logits: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """As :class:`FrameFilter`, sorting by numbers none of which are equal."""
    padding = padding_mask(lengths, logits.shape[1])
    emotions = own.distribution(logits.masked_fill(padding[..., None], 0.0))
    kept = (emotions.square().sum(dim=-1) > own.threshold) & ~padding
    kept = kept | ~(padding | kept.any(dim=1, keepdim=True))
    counts = kept.sum(dim=1)
    place = torch.arange(logits.shape[1])[None] + torch.where(kept, 0, logits.shape[1])
    order = place.argsort(dim=1)
    both = torch.cat([features, emotions.to(features.dtype)], dim=-1)
    both = both.gather(1, order[..., None].expand(-1, -1, both.shape[2]))
    return both.masked_fill(padding_mask(counts, both.shape[1])[..., None], 0.0), counts
