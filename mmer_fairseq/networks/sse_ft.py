"""SSE-FT: text, sound and picture encoded by frozen encoders, fused by cross-modal transformers at the start token.

Source: Siriwardhana et al., "Multimodal Emotion Recognition with Transformer-Based Self Supervised Feature Fusion",
IEEE Access 2020. Differs from its code in speed only (the cross-modal stacks run on step 0 alone, nothing runs on
padding), and in clips that lack a modality, which the paper does not have.

Letters for shapes: B clips, T steps, N real steps of all clips together, D the width of a modality, C outputs.
"""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.heads import ClassificationHead
from mmer_fairseq.modules.init import bert_init
from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.rows import Rows

HEAD_ORDER = ("text", "video", "audio")  # of the fused vector when all three are there
PAIR_ORDER = ("text", "audio", "video")  # of the fused vector when two are there
WIDTH_FLAGS = {
    "text": "--encoder-embed-dim",
    "audio": "--encoder-embed-dim-a",
    "video": "--encoder-embed-dim-v",
}
POSITION_FLAGS = {m: f"--max-positions-{m[0]}" for m in PAIR_ORDER}


class StartedSequence(nn.Module):
    """A learned start vector in front, learned positions, LayerNorm, dropout; [B, T, D] → rows [N, D] of B·(T+1)."""

    def __init__(self, *, dim: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Embedding(1, dim)
        # Row 0 is unused and row 1 is that of padding, as in fairseq; real steps take rows 2, 3, 4, …
        self.positions = nn.Embedding(max_positions + 2, dim, padding_idx=1)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        x = torch.cat([self.start.weight.expand(x.shape[0], 1, -1), x], dim=1)
        x = x + self.positions.weight[2 : x.shape[1] + 2]
        return self.dropout(self.norm(rows.pack(x)))


class SSEFT(nn.Module):
    """The trained part of SSE-FT: self-attention for sound and picture, cross-modal stacks, head.

    A clip may lack any modality (length 0), even all. What is absent contributes zeros to the fused vector and a
    factor 1 to its partners' products; a modality with no partner left contributes its own step 0.
    """

    def __init__(
        self,
        *,
        modalities: Sequence[str],
        outputs: int,
        text_dim: int = 1024,
        audio_dim: int = 512,
        video_dim: int = 256,
        ffn_dim: int = 1024,
        heads: int = 16,
        layers: int = 24,
        cross_layers: int = 1,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation_dropout: float = 0.0,
        pooler_dropout: float = 0.0,
        activation: str = "gelu",
        pooler_activation: str = "tanh",
        normalize_before: bool = False,
        max_positions_text: int = 512,
        max_positions_audio: int = 936,
        max_positions_video: int = 301,
    ) -> None:
        """Build only what the chosen modalities use.

        Args:
            modalities: one to three of "text", "audio", "video".
            outputs: C.
            text_dim, audio_dim, video_dim: widths of the modalities; multiples of ``heads`` (text: with a partner).
            ffn_dim, heads, dropout, attention_dropout, activation_dropout, activation, normalize_before: of all
                layers, see :class:`LayerSizes`.
            layers: self-attention layers of sound and of picture.
            cross_layers: layers of each cross-modal stack.
            pooler_dropout, pooler_activation: of the head.
            max_positions_text: longest text in tokens.
            max_positions_audio, max_positions_video: longest sequence in steps, the start vector counted.

        Raises:
            InputError: no or an unknown modality; a width that the heads do not divide.
        """
        super().__init__()
        unknown = [m for m in modalities if m not in PAIR_ORDER]
        if unknown or not modalities:
            raise InputError.of(
                where="--modalities",
                expected="one to three of text, audio, video (this system knows no other)",
                found=", ".join(modalities) or "none",
                remedy="choose among these",
            )
        self.modalities = tuple(m for m in PAIR_ORDER if m in modalities)
        dims = {"text": text_dim, "audio": audio_dim, "video": video_dim}
        self.dims = {m: dims[m] for m in self.modalities}
        self.max_positions = {
            "text": max_positions_text,
            "audio": max_positions_audio,
            "video": max_positions_video,
        }
        self.pairs = tuple((q, k) for q in self.modalities for k in self.modalities if q != k)
        for modality, dim in self.dims.items():
            if dim % heads and self.modalities != ("text",):
                raise InputError.of(
                    where=f"{WIDTH_FLAGS[modality]} and --encoder-attention-heads",
                    expected="a width that is a multiple of the number of heads",
                    found=f"width {dim}, {heads} heads",
                    remedy="change one of the two",
                )
        sizes = LayerSizes(
            ffn_dim=ffn_dim,
            heads=heads,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            activation=activation,
            normalize_before=normalize_before,
        )
        started = [m for m in self.modalities if m != "text"]  # text has its <s> and RoBERTa's positions
        self.inputs = nn.ModuleDict(
            {
                m: StartedSequence(dim=dims[m], max_positions=self.max_positions[m], dropout=dropout)
                for m in started
            }
        )
        self.self_stacks = nn.ModuleDict(
            {m: LayerStack(count=layers, dim=dims[m], sizes=sizes) for m in started}
        )
        self.cross_stacks = nn.ModuleDict(
            {
                f"{q}_{k}": LayerStack(count=cross_layers, dim=dims[q], sizes=sizes, memory_dim=dims[k])
                for q, k in self.pairs
            }
        )
        self.head = ClassificationHead(
            dim=sum(self.dims.values()),
            outputs=outputs,
            dropout=pooler_dropout,
            activation_fn=pooler_activation,
        )
        self.apply(bert_init)

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict:
        """Fuse a batch.

        Args:
            streams: modality → FloatTensor [B, T, D]; others than this network's are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], "aux": {}}.

        Raises:
            InputError: a modality is not there, has another width, or a sequence is longer than its maximum.
        """
        vectors = self.step_zero(streams, lengths)
        present = {m: lengths[m].gt(0)[:, None] for m in self.modalities}
        order = HEAD_ORDER if len(self.modalities) == 3 else PAIR_ORDER
        fused = [self._contribution(m, vectors, present) for m in order if m in self.modalities]
        return {"logits": self.head(torch.cat(fused, dim=-1)), "aux": {}}

    def step_zero(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run all stacks and return their step 0.

        Returns:
            "text" | "audio" | "video" → [B, D] after self-attention, "text_audio", … (query_memory) → [B, D] after
            the cross-modal stack. What belongs to an absent modality is finite and means nothing.
        """
        memory: dict[str, Tensor] = {}
        padding: dict[str, Optional[Tensor]] = {}
        counts = self._check(streams, lengths)
        for m in self.modalities:
            x, own = streams[m], counts[m]
            # An absent text is one step of zeros, an absent sound its start vector: attention always has a step.
            rows = Rows(own.clamp(min=1) if m == "text" else own + 1, x.device)
            steps = int(own.max())
            if m == "text":
                x = F.pad(x, (0, 0, 0, max(rows.steps - x.shape[1], 0)))[:, : rows.steps]
                if int(own.min()) < rows.steps:
                    x = x.masked_fill(
                        ~(lengths[m][:, None] > torch.arange(rows.steps, device=x.device))[..., None], 0
                    )
            else:
                x = rows.unpack(self.self_stacks[m](self.inputs[m](x[:, :steps], rows), rows))
            memory[m], padding[m] = x, rows.padding
        vectors = {m: memory[m][:, 0] for m in self.modalities}
        for q, k in self.pairs:
            # A query never sees another query and only step 0 is read, so step 0 runs alone.
            stack = self.cross_stacks[f"{q}_{k}"]
            vectors[f"{q}_{k}"] = stack(vectors[q][:, None], memory[k], padding[k])[:, 0]
        return vectors

    def _contribution(
        self, modality: str, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]
    ) -> Tensor:
        """What one modality adds to the fused vector: the product over its present partners, [B, D]."""
        alone = vectors[modality]
        partners = [k for q, k in self.pairs if q == modality]
        product, met = torch.ones_like(alone), torch.zeros_like(present[modality])
        for k in partners:
            product = product * torch.where(present[k], vectors[f"{modality}_{k}"], 1.0)
            met = met | present[k]
        return torch.where(present[modality], torch.where(met, product, alone), 0.0)

    def _check(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Lengths on the CPU, fetched at once; InputError where the batch does not fit the network."""
        for m in self.modalities:
            if m not in streams or m not in lengths:
                raise InputError.of(
                    where="batch",
                    expected=f"the stream {m!r}",
                    found=", ".join(streams) or "no stream",
                    remedy="choose other --modalities, or a corpus that has this one",
                )
            if streams[m].shape[-1] != self.dims[m]:
                raise InputError.of(
                    where=f"stream {m!r}",
                    expected=f"vectors of width {self.dims[m]} ({WIDTH_FLAGS[m]})",
                    found=f"width {streams[m].shape[-1]}",
                    remedy=f"set {WIDTH_FLAGS[m]} to the width of the features",
                )
        counts = dict(zip(self.modalities, torch.stack([lengths[m] for m in self.modalities]).cpu()))
        for m, own in counts.items():
            longest = int(own.max()) + (m != "text")
            if longest > self.max_positions[m]:
                raise InputError.of(
                    where=f"stream {m!r}",
                    expected=f"at most {self.max_positions[m]} steps ({POSITION_FLAGS[m]})"
                    + (", the start vector counted" if m != "text" else ""),
                    found=f"{longest} steps",
                    remedy=f"raise {POSITION_FLAGS[m]} or cut the clips",
                )
        return counts
