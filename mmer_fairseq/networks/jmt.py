"""JMT: streams that attend to each other and to a joint representation of all of them.

Source: Waligora et al., "Joint Multimodal Transformer for Emotion Recognition in the Wild", CVPR workshops 2024, and
its published code, which knows two streams, (video, audio) here. Padding and missing streams, which the code does not
know, are never attended to.

Letters for shapes: B clips, S steps, N real steps of all clips, K tokens of a step, D width, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.init import attention_init
from mmer_fairseq.modules.joint import SharedAttention, TokenFusion
from mmer_fairseq.modules.layers import LayerSizes, LayerStack
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.regressors import PooledHead, Regressors
from mmer_fairseq.modules.rows import Rows
from mmer_fairseq.networks._jmt_inputs import ORDER, Inputs, check_choice, check_numbers, lay_out

GOALS = ("training", "pretraining")
JOINT_MODALITIES = ("TRANSFORMER", "FC", "NONE")
OUTPUT_FORMATS = ("SELF_ATTEN", "FC")
INTRA_MODAL_FUSIONS = ("feat_concat_fc", "encoder_plus_self_attention")
POSITIONS = ("none", "sinusoidal")
#: Name of the joint representation among the streams.
JOINT = "joint"


class PartsFusion(nn.Module):
    """Two or more backbones of one modality, side by side [N, P₁ + P₂ + …] → [N, D]."""

    def __init__(self, *, parts: Sequence[int], dim: int, how: str, sizes: LayerSizes, layers: int) -> None:
        """Build it.

        Args:
            parts: widths of the backbones.
            dim: D.
            how: one of ``INTRA_MODAL_FUSIONS``.
            sizes: of the transformer layers.
            layers: their number.
        """
        super().__init__()
        self.parts = tuple(parts)
        self.fc = nn.Linear(sum(parts), dim) if how == "feat_concat_fc" else None
        if self.fc is None:
            self.projections = nn.ModuleDict(
                {str(i): nn.Linear(width, dim) for i, width in enumerate(parts) if width != dim}
            )
            self.fusion = TokenFusion(dim=dim, sizes=sizes, layers=layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.fc is not None:
            return self.fc(x)
        parts = list(x.split(self.parts, dim=1))
        for i, projection in self.projections.items():
            parts[int(i)] = projection(parts[int(i)])
        return self.fusion(torch.stack(parts, dim=1))


class JMT(nn.Module):
    """Any number of streams → outputs for each step, or for each clip.

    A clip may lack any stream (length 0), even all. A missing one gives zeros to the joint representation, and what
    would attend to it or from it is left out. Without a joint representation (NONE) the only stream of a clip attends
    to itself. A network of a single stream has nothing to fuse: its encoder is followed by the head.
    """

    def __init__(
        self,
        *,
        streams: Sequence[str],
        outputs: int,
        parts: Mapping[str, Sequence[int]] | None = None,
        over_time: bool = True,
        goal: str = "training",
        joint_modalities: str = "TRANSFORMER",
        output_format: str = "SELF_ATTEN",
        intra_modal_fusion: str | None = None,
        dim: int = 512,
        head_dim: int = 128,
        heads: int = 1,
        layers: int = 1,
        v_dropout: float = 0.0,
        a_dropout: float = 0.0,
        positions: str = "none",
        original_behaviour: bool = False,
    ) -> None:
        """Build what the chosen streams use, and nothing else.

        Args:
            streams: one or more of "video", "audio", "physio", "text".
            outputs: C.
            parts: stream → widths of the backbones that it was joined from, where there are two or more.
            over_time: outputs for each step; False: for the clip, from the mean over its steps.
            goal: "training", or "pretraining" of a single stream: head alone, on features as they are.
            joint_modalities: "TRANSFORMER"; "FC": a linear layer alone; "NONE": without a joint representation.
            output_format: what makes one vector of TRANSFORMER's tokens: "SELF_ATTEN" or "FC", a linear layer.
            intra_modal_fusion: "feat_concat_fc" or "encoder_plus_self_attention"; needed for streams in parts.
            dim: D, a multiple of ``heads``; also the width inside feed-forward layers.
            head_dim: width inside the heads.
            heads, layers: of all transformer blocks.
            v_dropout: in the head of the first output (valence).
            a_dropout: in the heads of the others (arousal), and wherever one head gives all outputs.
            positions: "sinusoidal" adds positions of length 1 to the streams, which the original does not.
            original_behaviour: encoders of NONE attend over the batch and not over time, as in the original's code.

        Raises:
            InputError: an unknown stream or choice, or a number that its flag does not allow.
        """
        super().__init__()
        parts = {m: tuple(widths) for m, widths in (parts or {}).items() if len(widths) > 1 and m in streams}
        _check_streams(streams)
        self.goal = check_choice("--goal", goal, GOALS)
        self.joint_modalities = check_choice("--joint-modalities", joint_modalities, JOINT_MODALITIES)
        self.output_format = check_choice("--output-format", output_format, OUTPUT_FORMATS)
        self.positions = check_choice("--positions", positions, POSITIONS)
        check_numbers(dim=dim, head_dim=head_dim, heads=heads, layers=layers, dropouts=(v_dropout, a_dropout))
        self.modalities = tuple(m for m in ORDER if m in streams)
        self.dims = {m: sum(parts[m]) if m in parts else dim for m in self.modalities}
        self.dim = dim
        self.over_time = over_time
        self.original_behaviour = original_behaviour
        if self.goal == "pretraining" and len(self.modalities) > 1:
            raise InputError.of(
                where="--goal pretraining",
                expected="a single stream",
                found=", ".join(self.modalities),
                remedy="choose one with --modalities, or leave --goal out",
            )
        sizes = LayerSizes(ffn_dim=dim, heads=heads, dropout=0.0, attention_dropout=0.0, activation="relu")
        how = _intra_modal(intra_modal_fusion, parts)
        self.intra = nn.ModuleDict(
            {m: PartsFusion(parts=p, dim=dim, how=how, sizes=sizes, layers=layers) for m, p in parts.items()}
        )
        pairs = self._build_fusion(sizes, layers)
        self.pairs = tuple(pairs)
        width = 2 * dim if hasattr(self, "mix") and self.joint_modalities == "TRANSFORMER" else dim
        self.head: nn.Module
        self.output_layers: tuple[str, ...] = ("head",)  # what depends on the number of outputs
        if over_time and self.goal == "training":
            dropouts = [v_dropout] + [a_dropout] * (outputs - 1)
            self.head = Regressors(dim=width, hidden=head_dim, dropouts=dropouts)
        else:
            self.head = PooledHead(dim=width, hidden=head_dim, outputs=outputs, dropout=a_dropout)
            self.output_layers = ("head.out_proj",)
        self.apply(attention_init)

    def _build_fusion(self, sizes: LayerSizes, layers: int) -> list[tuple[str, str]]:
        """Build what stands between streams and head; returns (query, memory) of every token in order."""
        own, several, dim = self.modalities, len(self.modalities) > 1, self.dim
        if self.goal == "pretraining":
            return []
        if self.joint_modalities == "FC":
            self.mix = nn.Linear(len(own) * dim, dim)
            return []
        pairs = [(q, m) for q in own for m in own if q != m]
        sequences = list(own)
        joint = several and self.joint_modalities == "TRANSFORMER"
        if joint:
            pairs += [pair for m in own for pair in ((JOINT, m), (m, JOINT))]
            sequences.append(JOINT)
            self.join = nn.Linear(len(own) * dim, dim)
        self.encoders = nn.ModuleDict({m: LayerStack(count=layers, dim=dim, sizes=sizes) for m in sequences})
        if several:
            self.cross = nn.ModuleDict({m: SharedAttention(dim=dim, heads=sizes.heads) for m in sequences})
            if joint and self.output_format == "SELF_ATTEN":
                self.fusion = TokenFusion(dim=dim, sizes=sizes, layers=layers)
            else:
                self.mix = nn.Linear(len(pairs) * dim, 2 * dim if joint else dim)
        return pairs

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Predict.

        Args:
            streams: modality → FloatTensor [B, S, D], or [B, S, the sum of its parts]; modalities of other networks
                are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such stream. Streams of one clip that
                differ in length are first brought to that of the longest.

        Returns:
            {"logits": FloatTensor [B, S, C], zero at padded steps; or [B, C] without ``over_time``; "aux": {}}.

        Raises:
            InputError: a stream is not there or has another width.
        """
        given = lay_out(streams, lengths, self.dims)
        fused = self.fuse(given)
        if self.over_time:
            return {"logits": self._over_time(self.head(fused), given), "aux": {}}
        steps = given.longest.to(fused.dtype)[:, None]
        return {"logits": self.head(given.rows.unpack(fused).sum(dim=1) / steps), "aux": {}}

    def fuse(self, given: Inputs) -> Tensor:
        """All streams → [N, D] ([N, 2 D] with TRANSFORMER and FC), the input of the head."""
        xs = dict(given.streams)
        for m, fusion in self.intra.items():
            xs[m] = fusion(xs[m])
        if self.goal == "pretraining":
            return xs[self.modalities[0]]
        xs = {m: given.present_only(m, given.placed(x, self.positions != "none")) for m, x in xs.items()}
        side_by_side = torch.cat(list(xs.values()), dim=1)
        if self.joint_modalities == "FC":
            return self.mix(side_by_side)
        if JOINT in self.encoders:
            xs[JOINT] = self.join(side_by_side)
        encoded = {m: self._encoded(m, x, given.rows) for m, x in xs.items()}
        if not self.pairs:
            return encoded[self.modalities[0]]
        tokens = self._crossed(encoded, given)
        absent = self._absent(given)
        if hasattr(self, "fusion"):
            return self.fusion(tokens, absent)
        if absent is not None:
            tokens = tokens.masked_fill(absent[:, :, None], 0.0)
        return self.mix(tokens.flatten(1))

    def _encoded(self, modality: str, x: Tensor, rows: Rows) -> Tensor:
        encoder = self.encoders[modality]
        if not (self.original_behaviour and self.joint_modalities == "NONE"):
            return encoder(x, rows)
        across = Rows(torch.full((rows.steps,), rows.batch))
        y = encoder(across.pack(rows.unpack(x).transpose(0, 1)), across)
        return rows.pack(across.unpack(y).transpose(0, 1))

    def _crossed(self, encoded: Mapping[str, Tensor], given: Inputs) -> Tensor:
        """Every query's attention to its memories: the tokens [N, K, D] in the order of ``pairs``."""
        found: dict[tuple[str, str], Tensor] = {}
        for query, attention in self.cross.items():
            asked = [m for q, m in self.pairs if q == query]
            memories = [encoded[m] for m in asked]
            if given.there is not None and JOINT not in encoded:
                own, alone = encoded[query], given.alone(query)[:, None]
                memories = [torch.where(alone, own, memory) for memory in memories]
            crossed = attention(encoded[query], memories, given.rows)
            found.update({(query, m): x for m, x in zip(asked, crossed)})
        return torch.stack([found[pair] for pair in self.pairs], dim=1)

    def _absent(self, given: Inputs) -> Tensor | None:
        """Tokens that lack their query or memory, BoolTensor [N, K]; None: there are none."""
        if given.there is None:
            return None
        there = {**given.there, JOINT: torch.ones_like(given.there[self.modalities[0]])}
        met = [there[q] & there[m] for q, m in self.pairs]
        if JOINT not in self.encoders:
            met = [seen | given.alone(q) for seen, (q, _) in zip(met, self.pairs)]
        absent = ~torch.stack(met, dim=1)
        return absent & ~absent.all(dim=1, keepdim=True)  # of a clip without anything, all are seen

    def _over_time(self, y: Tensor, given: Inputs) -> Tensor:
        """[N, C] → [B, S, C] with as many steps as the batch came with."""
        y = given.rows.unpack(y)
        if given.there is not None:  # a clip without anything was given one step to attend to
            y = y.masked_fill(padding_mask(given.counted, y.shape[1])[:, :, None], 0.0)
        return F.pad(y, (0, 0, 0, given.steps - y.shape[1])) if given.steps > y.shape[1] else y


def _check_streams(streams: Sequence[str]) -> None:
    if not streams or not set(streams) <= set(ORDER):
        raise InputError.of(
            where="--modalities",
            expected=f"one or more of {', '.join(ORDER)}, which is what JMT knows",
            found=", ".join(streams) or "none",
            remedy="choose with --modalities video,audio",
        )


def _intra_modal(how: str | None, parts: Mapping[str, Sequence[int]]) -> str:
    """The fusion of streams in parts, which has no default."""
    chosen = "" if how in (None, "None", "none", "") else str(how)
    if chosen:
        return check_choice("--intra-modal-fusion", chosen, INTRA_MODAL_FUSIONS)
    if parts:
        m, widths = next(iter(parts.items()))
        raise InputError.of(
            where="--intra-modal-fusion",
            expected=f"{' or '.join(INTRA_MODAL_FUSIONS)}, because {m} has {len(widths)} feature stores",
            found="none",
            remedy="add the flag, or name one store of each modality in --features",
        )
    return ""
