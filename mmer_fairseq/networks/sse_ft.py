"""SSE-FT: text, sound and picture, fused by cross-modal transformers at the start token.

Source: Siriwardhana et al., "Multimodal Emotion Recognition with Transformer-Based Self Supervised Feature
Fusion", IEEE Access 2020. Computes what its code computes, but runs the cross-modal stacks on step 0 alone
and nothing on padding. :class:`SSEFT` says what a clip without a modality gives, which the paper does not.

Letters for shapes: B clips, T steps, N real steps of all clips, D width of a modality, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.dense import everywhere, is_dense, longest
from mmer_fairseq.modules.dropout import Dropout
from mmer_fairseq.modules.heads import ClassificationHead
from mmer_fairseq.modules.init import bert_init
from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.rows import Rows

MODALITIES = ("text", "audio", "video")
#: Parts of the fused vector: with three modalities the picture comes before the sound.
FUSED_ORDER = ("text", "video", "audio")
WIDTH_FLAGS = {
    "text": "--encoder-embed-dim",
    "audio": "--encoder-embed-dim-a",
    "video": "--encoder-embed-dim-v",
}
POSITION_FLAGS = {"text": "--max-positions-t", "audio": "--max-positions-a", "video": "--max-positions-v"}


class StartedSequence(nn.Module):
    """A learned start vector in front, learned positions, LayerNorm, dropout: [B, T, D] → rows [N, D]."""

    def __init__(self, *, dim: int, max_positions: int, dropout: float) -> None:
        super().__init__()
        self.start = nn.Embedding(1, dim)
        # As in fairseq, row 0 is unused and row 1 is padding's; real steps take rows 2, 3, 4, …
        self.positions = nn.Embedding(max_positions + 2, dim, padding_idx=1)
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        x = torch.cat([self.start.weight.expand(x.shape[0], 1, -1), x], dim=1)
        if is_dense():  # whose graph is not told that a clip fits
            places = torch.arange(2, x.shape[1] + 2).clamp(max=self.positions.num_embeddings - 1)
            x = x + self.positions.weight.index_select(0, places)
        else:
            x = x + self.positions.weight[2 : x.shape[1] + 2]
        return self.dropout(self.norm(rows.pack(x)))


class SSEFT(nn.Module):
    """The trained part of SSE-FT: self-attention for sound and picture, cross-modal stacks, head.

    A clip may lack any modality (length 0), even all. An absent modality contributes zeros to the fused
    vector and a factor 1 to its partners' products; a modality without a partner contributes its own step 0.
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
        """Build what the chosen modalities use, and nothing else.

        Args:
            modalities: one to three of "text", "audio", "video".
            outputs: C.
            text_dim, audio_dim, video_dim: D of each modality, a multiple of ``heads``.
            ffn_dim, heads, dropout, attention_dropout, activation_dropout, activation, normalize_before: of
                all layers, see :class:`LayerSizes`.
            layers: self-attention layers of sound and of picture.
            cross_layers: layers of each cross-modal stack.
            pooler_dropout, pooler_activation: of the head.
            max_positions_text: longest text in tokens.
            max_positions_audio, max_positions_video: longest sequence in steps, the start vector counted.

        Raises:
            InputError: no or an unknown modality, or a number that its flag does not allow.
        """
        super().__init__()
        if not modalities or not set(modalities) <= set(MODALITIES):
            raise InputError.of(
                where="--modalities",
                expected="one to three of text, audio, video, which is what this system knows",
                found=", ".join(modalities) or "none",
                remedy="choose among these",
            )
        self.modalities = tuple(m for m in MODALITIES if m in modalities)
        self.output_layers = ("head.out_proj",)
        dims = {"text": text_dim, "audio": audio_dim, "video": video_dim}
        self.dims = {m: dims[m] for m in self.modalities}
        self.max_positions = {
            "text": max_positions_text,
            "audio": max_positions_audio,
            "video": max_positions_video,
        }
        sizes = LayerSizes(
            ffn_dim=ffn_dim,
            heads=heads,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            activation=activation,
            normalize_before=normalize_before,
        )
        self._check_numbers(sizes, layers, cross_layers, pooler_dropout)
        started = [m for m in self.modalities if m != "text"]  # text has its <s> and its encoder's positions
        self.inputs = nn.ModuleDict(
            {
                m: StartedSequence(dim=dims[m], max_positions=self.max_positions[m], dropout=dropout)
                for m in started
            }
        )
        self.self_stacks = nn.ModuleDict(
            {m: LayerStack(count=layers, dim=dims[m], sizes=sizes) for m in started}
        )
        self.pairs = tuple((q, k) for q in self.modalities for k in self.modalities if q != k)
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

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Fuse a batch.

        Args:
            streams: modality → FloatTensor [B, T, D]; modalities of other networks are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], "aux": {}}.

        Raises:
            InputError: a modality is not there, has another width, or is longer than its maximum.
        """
        vectors = self.step_zero(streams, lengths)
        present = {m: lengths[m].gt(0)[:, None] for m in self.modalities}
        order = FUSED_ORDER if len(self.modalities) == 3 else self.modalities
        fused = torch.cat([self._part(m, vectors, present) for m in order], dim=-1)
        return {"logits": self.head(fused), "aux": {}}

    def step_zero(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run all stacks and keep their step 0; arguments and errors as for :meth:`forward`.

        Returns:
            "text", "audio", "video" → [B, D] after self-attention; "text_audio", … (query_memory) → [B, D]
            after the cross-modal stack. What belongs to an absent modality is finite and means nothing.
        """
        counts = self._check_batch(streams, lengths)
        memory: dict[str, Tensor] = {}
        padding: dict[str, Tensor | None] = {}
        for m in self.modalities:
            x = streams[m][:, : longest(counts[m], streams[m].shape[1])]
            # So that attention always has a step: of an absent text one of zeros, else the start vector.
            own, steps = (
                (counts[m].clamp(min=1), x.shape[1]) if m == "text" else (counts[m] + 1, x.shape[1] + 1)
            )
            rows = Rows(own, x.device, steps)
            if m == "text":
                x = F.pad(x, (0, 0, 0, rows.steps - x.shape[1]))
                if not everywhere(counts[m] == rows.steps):
                    x = x.masked_fill(padding_mask(lengths[m], rows.steps)[..., None], 0.0)
            else:
                x = rows.unpack(self.self_stacks[m](self.inputs[m](x, rows), rows))
            memory[m], padding[m] = x, rows.padding
        vectors = {m: memory[m][:, 0] for m in self.modalities}
        for q, k in self.pairs:
            # A query never sees another query and only step 0 is read: step 0 runs alone.
            stack = self.cross_stacks[f"{q}_{k}"]
            vectors[f"{q}_{k}"] = stack(vectors[q][:, None], memory[k], padding[k])[:, 0]
        return vectors

    def _part(self, modality: str, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """What a modality contributes to the fused vector, [B, D]."""
        own = vectors[modality]
        product, met = torch.ones_like(own), torch.zeros_like(present[modality])
        for query, partner in self.pairs:
            if query == modality:
                product = product * torch.where(present[partner], vectors[f"{query}_{partner}"], 1.0)
                met = met | present[partner]
        return torch.where(present[modality], torch.where(met, product, own), 0.0)

    def _check_numbers(
        self, sizes: LayerSizes, layers: int, cross_layers: int, pooler_dropout: float
    ) -> None:
        check_range("--encoder-attention-heads", sizes.heads, 1)
        check_range("--encoder-ffn-embed-dim", sizes.ffn_dim, 1)
        check_range("--encoder-layers", layers, 0)
        check_range("--encoder-layers-cross", cross_layers, 0)
        check_range("--dropout", sizes.dropout, 0, 1)
        check_range("--attention-dropout", sizes.attention_dropout, 0, 1)
        check_range("--activation-dropout", sizes.activation_dropout, 0, 1)
        check_range("--pooler-dropout", pooler_dropout, 0, 1)
        for m, dim in self.dims.items():
            check_range(WIDTH_FLAGS[m], dim, 1)
            check_range(POSITION_FLAGS[m], self.max_positions[m], 1)
            if dim % sizes.heads and self.modalities != ("text",):  # text alone meets no attention here
                raise InputError.of(
                    where=f"{WIDTH_FLAGS[m]} and --encoder-attention-heads",
                    expected="a width that is a multiple of the number of heads",
                    found=f"width {dim}, {sizes.heads} heads",
                    remedy="change one of the two",
                )

    def _check_batch(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Check that the batch fits; returns its lengths on the CPU, all fetched at once."""
        for m in self.modalities:
            check_stream(m, streams, lengths, self.dims[m], WIDTH_FLAGS[m])
        counts = dict(zip(self.modalities, torch.stack([lengths[m] for m in self.modalities]).cpu()))
        for m, own in counts.items() if not is_dense() else ():
            counted, steps = ("", int(own.max())) if m == "text" else (" with start", int(own.max()) + 1)
            if steps > self.max_positions[m]:
                raise InputError.of(
                    where=f"stream {m!r}",
                    expected=f"at most {self.max_positions[m]} steps{counted} ({POSITION_FLAGS[m]})",
                    found=steps,
                    remedy=f"raise {POSITION_FLAGS[m]}, or cut the clips",
                )
        return counts
