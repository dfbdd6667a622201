"""FacialMMT: words, sound and faces of an utterance; each pair of sequences looks at each other, then all is pooled.

Source: Zheng et al., "A Facial Expression-Aware Multimodal Multi-task Learning Framework for Emotion Recognition in
Multi-party Conversations", ACL 2023, and its published code. There padding is looked at by the other modality; here it
is not, unless the original's behaviour is asked for.

Letters for shapes: B clips, T steps, N rows (steps of all clips), D width, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.additive_pool import AdditivePooling
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.dropout import Dropout
from mmer_fairseq.modules.layers import LayerSizes
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.mult import Memory, MulTEncoder, MulTLayer, MulTSizes
from mmer_fairseq.modules.positions import sinusoids
from mmer_fairseq.modules.rows import Rows
from mmer_fairseq.modules.step_encoder import StepEncoder
from mmer_fairseq.networks.late_fusion import check_modalities

#: In the order in which they are fused.
MODALITIES = ("text", "audio", "video")


@dataclass(frozen=True)
class _Sequence:
    """One modality of a batch, or several joined; what tells where rows lie is on the CPU."""

    x: Tensor  # [N, D]
    counts: Tensor  # LongTensor [B], rows of each clip, 1 or more
    real: Tensor  # BoolTensor [N], False: padding, or the row that a clip without this sequence was given
    places: Tensor  # LongTensor [N], where the row lies in time, counted from 0
    span: int  # places that there are

    @property
    def there(self) -> Tensor:
        """BoolTensor [B], which clips have it."""
        clips = torch.arange(len(self.counts)).repeat_interleave(self.counts)
        return torch.zeros(len(self.counts), dtype=torch.bool).index_put(
            (clips[self.real],), torch.tensor(True)
        )


class FacialMMT(nn.Module):
    """Each of text, sound and picture to width D; text and sound cross, then both and picture; pooling; a layer.

    Any of the three may be left out: what is there is crossed in this order, and one alone is read, pooled and
    classified, as the original does with picture alone. A clip may lack any of those that are there (length 0), even
    all: nothing looks at what is missing, and it is not pooled; nothing at all is pooled as zeros.
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        outputs: int,
        dim: int = 768,
        heads: int = 12,
        ffn_dim: int = 3072,
        audio_layers: int = 5,
        video_layers: int = 2,
        ta_layers: int = 2,
        ta_heads: int = 12,
        ta_attention_dropout: float = 0.1,
        tav_layers: int = 2,
        tav_heads: int = 12,
        tav_attention_dropout: float = 0.1,
        text_steps: int = 38,
        audio_steps: int = 512,
        video_steps: int = 128,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        embed_dropout: float = 0.0,
        norm_eps: float = 1e-12,
        original_behaviour: bool = False,
    ) -> None:
        """Build what the chosen modalities use, and nothing else.

        Args:
            dims: modality → width of a step; one or more of "text" (a language model's tokens of the utterance),
                "audio", "video" (features of a frame, beside the distribution over emotions if there is one).
            outputs: C.
            dim: D, a multiple of all numbers of heads.
            heads, ffn_dim: of the encoders of sound and picture.
            audio_layers, video_layers: of these.
            ta_layers, ta_heads, ta_attention_dropout: of the first crossing, text with sound, or of the only one.
            tav_layers, tav_heads, tav_attention_dropout: of the second, both with picture.
            text_steps, audio_steps, video_steps: the longest clip of each; what is longer is cut off.
            dropout: probability in the encoders, and before the last layer.
            attention_dropout: on attention weights in the encoders.
            embed_dropout: on what comes into a crossing.
            norm_eps: what LayerNorm of the encoders adds to the variance.
            original_behaviour: compute what the original code computes, for its checkpoints: every clip is as long as
                the longest can be, its padding takes part in all but the encoders and the pooling, with what the batch
                has there, then zeros; a step has no position in a crossing where its first feature is exactly 0.

        Raises:
            InputError: no or an unknown modality, or a number that its flag does not allow.
        """
        super().__init__()
        check_modalities(tuple(dims), "FacialMMT")
        self.modalities = tuple(m for m in MODALITIES if m in dims)
        self.dims = {m: dims[m] for m in self.modalities}
        self.output_layers = ("classifier",)
        self.dim = dim
        self.original_behaviour = original_behaviour
        steps = {"text": text_steps, "audio": audio_steps, "video": video_steps}
        self.steps = {m: steps[m] for m in self.modalities}
        layers = {"audio": audio_layers, "video": video_layers}
        crossings = {"ta": (ta_layers, ta_heads), "tav": (tav_layers, tav_heads)}
        self._check(heads, ffn_dim, layers, crossings)
        for name, p in {
            "--dropout": dropout,
            "--attention-dropout": attention_dropout,
            "--embed-dropout": embed_dropout,
            "--ta-attention-dropout": ta_attention_dropout,
            "--tav-attention-dropout": tav_attention_dropout,
        }.items():
            check_range(name, p, 0, 1)
        sizes = LayerSizes(
            ffn_dim=ffn_dim,
            heads=heads,
            dropout=dropout,
            attention_dropout=attention_dropout,
            norm_eps=norm_eps,
        )
        self.projections = nn.ModuleDict({m: nn.Linear(width, dim) for m, width in self.dims.items()})
        self.encoders = nn.ModuleDict(
            {
                m: StepEncoder(dim=dim, steps=self.steps[m], layers=count, sizes=sizes)
                for m, count in layers.items()
                if m in self.dims
            }
        )
        dropouts = {"ta": ta_attention_dropout, "tav": tav_attention_dropout}
        self.crossings = nn.ModuleDict()
        for name in list(crossings)[: len(self.modalities) - 1]:
            count, own_heads = crossings[name]
            self.crossings[name] = _crossing(dim, own_heads, count, dropouts[name], embed_dropout)
        self.pooling = AdditivePooling(dim)
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(dim, outputs)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights."""
        return self.classifier.weight.dtype

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Predict.

        Args:
            streams: modality → FloatTensor [B, T, its width]; modalities of other networks are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], "aux": {}}.

        Raises:
            InputError: a modality is not there or has another width.
        """
        first, *others = (self._read(m, streams, lengths) for m in self.modalities)
        fused = first
        for crossing, other in zip(self.crossings.values(), others):
            assert isinstance(crossing, MulTEncoder)
            fused = self._joined(*self._crossed(crossing, fused, other))
        rows = Rows(fused.counts, fused.x.device)
        padding = padding_mask(fused.counts, rows.steps)
        hidden = padding.masked_scatter(~padding, ~fused.real)
        pooled = self.pooling(fused.x, rows, hidden.to(fused.x.device))
        return {"logits": self.classifier(self.dropout(pooled)), "aux": {}}

    def _read(self, modality: str, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> _Sequence:
        """One modality, projected and encoded."""
        flag = f"--features or --{modality}-encoder"
        x = check_stream(modality, streams, lengths, self.dims[modality], flag).to(self.dtype)
        limit = self.steps[modality]
        given = lengths[modality].cpu().clamp(max=limit)
        counts = torch.full_like(given, limit) if self.original_behaviour else given.clamp(min=1)
        longest = int(counts.max())
        x = F.pad(x[:, :longest], (0, 0, 0, max(longest - x.shape[1], 0)))
        if not self.original_behaviour:
            x = x.masked_fill((given == 0).to(x.device)[:, None, None], 0.0)
        rows = Rows(counts, x.device)
        here = torch.arange(longest).expand(len(counts), -1)
        inside = here < counts[:, None]
        real, places = (here < given[:, None])[inside], here[inside]
        y = self.projections[modality](rows.pack(x))
        if modality in self.encoders:
            unseen = padding_mask(given, longest) & (given > 0)[:, None] if self.original_behaviour else None
            y = self.encoders[modality](y, rows, None if unseen is None else unseen.to(x.device))
        elif self.original_behaviour:
            y = y.masked_fill(~real[:, None].to(x.device), 0.0)
        return _Sequence(y, counts, real, places, limit)

    def _crossed(self, crossing: MulTEncoder, a: _Sequence, b: _Sequence) -> tuple[_Sequence, _Sequence]:
        """Each looks at the other, both at once: the layers are the same."""
        x = torch.cat([a.x, b.x])
        places = torch.cat([a.places, b.places]).to(x.device)
        positions = sinusoids(max(a.span, b.span), self.dim).to(x).index_select(0, places)
        if self.original_behaviour:
            positions = positions.masked_fill(x[:, :1] == 0, 0.0)
        embedded = crossing.embedded(x, positions)
        sizes = [len(a.x), len(b.x)]
        there = None
        if not self.original_behaviour:
            both = torch.cat([b.there, a.there])
            there = None if bool(both.all()) else both[:, None, None].to(embedded)
        memory = Memory(
            torch.cat(embedded.split(sizes)[::-1]),
            Rows(torch.cat([b.counts, a.counts]), x.device),
            there=there,
        )
        rows = Rows(torch.cat([a.counts, b.counts]), x.device)
        of_a, of_b = crossing(x, rows, positions, memory).split(sizes)
        return (
            _Sequence(of_a, a.counts, a.real, a.places, a.span),
            _Sequence(of_b, b.counts, b.real, b.places, b.span),
        )

    def _joined(self, a: _Sequence, b: _Sequence) -> _Sequence:
        """One after the other, clip by clip. Where ``b`` begins does not depend on how long ``a`` is."""
        batch = len(a.counts)
        clips = torch.cat([torch.arange(batch).repeat_interleave(own.counts) for own in (a, b)])
        real = torch.cat([a.real, b.real])
        kept = torch.ones_like(real)
        if not self.original_behaviour:
            neither = torch.zeros_like(real)
            neither[: len(a.x)] = ~(a.there | b.there).repeat_interleave(a.counts)
            kept = real | neither  # such a clip has one row in each
        index = kept.nonzero().squeeze(1)
        order = index[clips[index].argsort(stable=True)]
        places = torch.cat([a.places, b.places + a.span])
        x = torch.cat([a.x, b.x]).index_select(0, order.to(a.x.device))
        counts = torch.bincount(clips[index], minlength=batch)
        return _Sequence(x, counts, real[order], places[order], a.span + b.span)

    def _check(
        self,
        heads: int,
        ffn_dim: int,
        layers: Mapping[str, int],
        crossings: Mapping[str, tuple[int, int]],
    ) -> None:
        check_range("--encoder-embed-dim", self.dim, 4)
        check_range("--encoder-ffn-embed-dim", ffn_dim, 1)
        for m, width in self.dims.items():
            check_range(f"width of {m}", width, 1)
            check_range(f"--max-{m}-steps", self.steps[m], 1)
        for m, count in layers.items():
            check_range(f"--{m}-layers", count, 0)
        flags = {"--encoder-attention-heads": heads}
        for name, (count, own_heads) in crossings.items():
            check_range(f"--{name}-layers", count, 0)
            flags[f"--{name}-heads"] = own_heads
        for flag, number in flags.items():
            check_range(flag, number, 1)
            if self.dim % number:
                raise InputError.of(
                    where=f"--encoder-embed-dim and {flag}",
                    expected="a width that is a multiple of the number of heads",
                    found=f"width {self.dim}, {number} heads",
                    remedy="change one of the two",
                )


def _crossing(
    dim: int, heads: int, layers: int, attention_dropout: float, embed_dropout: float
) -> MulTEncoder:
    sizes = MulTSizes(
        dim=dim,
        heads=heads,
        layers=layers,
        activation_dropout=0.0,
        residual_dropout=0.0,
        embed_dropout=embed_dropout,
        activation="gelu",
    )
    encoder = MulTEncoder(sizes, attention_dropout=attention_dropout, causal=False)
    for layer in encoder.layers:
        assert isinstance(layer, MulTLayer)
        nn.init.xavier_uniform_(layer.attention.out_proj.weight)
    return encoder
