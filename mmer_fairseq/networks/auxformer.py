"""AuxFormer: sound and picture in a main network that crosses them, and an auxiliary network for each alone.

Source: Goncalves and Busso, "AuxFormer: Robust Approach to Audiovisual Emotion Recognition", ICASSP 2022, and its
published code. Padding is masked, the last real step is read, and a query never sees what lies ahead of it in time;
the code did none of these, and :class:`AuxFormer` reproduces it on request.

Letters for shapes: B clips, T steps, N real steps of all clips, D width, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.dense import everywhere, longest
from mmer_fairseq.modules.dropout import Dropout
from mmer_fairseq.modules.masks import causal_between, padding_mask
from mmer_fairseq.modules.mult import Memory, MulTEncoder, MulTSizes
from mmer_fairseq.modules.positions import sinusoids
from mmer_fairseq.modules.rows import Rows

MODALITIES = ("audio", "video")
#: An auxiliary network is one encoder that is run so many times.
PASSES = 3
#: Widths inside the head of the auxiliary networks.
HIDDEN = (512, 256)


@dataclass(frozen=True)
class _Sequence:
    """One modality of a batch: rows [N, D], where they lie, what the main network adds, who has it."""

    x: Tensor
    rows: Rows
    lengths: Tensor
    positions: Tensor
    last: Tensor
    there: Tensor  # BoolTensor [B]


class ResidualHead(nn.Module):
    """x + MLP(x), then Linear: [B, D] → [B, C]."""

    def __init__(self, *, dim: int, hidden: Sequence[int], outputs: int, dropout: float) -> None:
        super().__init__()
        widths = [dim, *hidden, dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.out_proj = nn.Linear(dim, outputs)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers[:-1]:
            y = self.dropout(F.relu(layer(y)))
        return self.out_proj(x + self.layers[-1](y))


class AuxFormer(nn.Module):
    """Main network, auxiliary networks, and a prediction from the mean of their logits.

    A clip may lack either modality (length 0), even both. What is missing gives zeros to the main network and is not
    looked at by the other modality, and its auxiliary network does not vote. With one modality alone there is
    nothing to cross: the main network is its self-attention.
    """

    def __init__(
        self,
        *,
        modalities: Sequence[str] = MODALITIES,
        outputs: int,
        audio_dim: int = 1024,
        video_dim: int = 50,
        dim: int = 50,
        heads: int = 10,
        layers: int = 5,
        hidden: Sequence[int] = HIDDEN,
        attention_dropout: float = 0.1,
        activation_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embed_dropout: float = 0.25,
        out_dropout: float = 0.2,
        causal: bool = True,
        original_behaviour: bool = False,
    ) -> None:
        """Build what the chosen modalities use, and nothing else.

        Args:
            modalities: one or both of "audio", "video".
            outputs: C.
            audio_dim, video_dim: width of what comes in; a linear layer without bias takes it to D where it differs.
            dim: D, a multiple of ``heads``.
            heads, layers: of each of the encoders.
            hidden: widths inside the head of the auxiliary networks, which share it.
            attention_dropout: on attention weights within a modality (between modalities there is none).
            activation_dropout, residual_dropout, embed_dropout: see :class:`MulTSizes`.
            out_dropout: in the heads.
            causal: a step sees what is not later than itself.
            original_behaviour: compute what the original code computes, for its checkpoints: padding is attended to
                and the last step read may be padding; a step has no position where its first feature is exactly 0; a
                query sees |T_memory − T_query| steps ahead, T the padded lengths; a missing modality votes.

        Raises:
            InputError: no or an unknown modality, or a number that its flag does not allow.
        """
        super().__init__()
        if not modalities or not set(modalities) <= set(MODALITIES):
            raise InputError.of(
                where="--modalities",
                expected="audio, video or both, which is what AuxFormer knows",
                found=", ".join(modalities) or "none",
                remedy="choose with --modalities audio,video",
            )
        self.modalities = tuple(m for m in MODALITIES if m in modalities)
        self.output_layers = ("main_head.out_proj", "auxiliary_head.out_proj")
        dims = {"audio": audio_dim, "video": video_dim}
        self.dims = {m: dims[m] for m in self.modalities}
        self.dim = dim
        self.causal = causal
        self.original_behaviour = original_behaviour
        self._check_numbers(
            heads, layers, (attention_dropout, activation_dropout, residual_dropout), out_dropout
        )
        check_range("--embed-dropout", embed_dropout, 0, 1)
        sizes = MulTSizes(
            dim=dim,
            heads=heads,
            layers=layers,
            activation_dropout=activation_dropout,
            residual_dropout=residual_dropout,
            embed_dropout=embed_dropout,
        )
        self.projections = nn.ModuleDict(
            {m: nn.Linear(d, dim, bias=False) for m, d in self.dims.items() if d != dim}
        )
        both = self.modalities if len(self.modalities) > 1 else ()
        self.cross = nn.ModuleDict({m: MulTEncoder(sizes, causal=causal) for m in both})

        def within(mixing: bool) -> nn.ModuleDict:
            return nn.ModuleDict(
                {
                    m: MulTEncoder(sizes, attention_dropout=attention_dropout, mixing=mixing, causal=causal)
                    for m in self.modalities
                }
            )

        self.main = within(mixing=True)
        self.auxiliary = within(mixing=False)
        width = dim * len(self.modalities)
        self.main_head = ResidualHead(dim=width, hidden=[width], outputs=outputs, dropout=out_dropout)
        self.auxiliary_head = ResidualHead(dim=dim, hidden=hidden, outputs=outputs, dropout=out_dropout)

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Run all networks.

        Args:
            streams: modality → FloatTensor [B, T, D]; modalities of other networks are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], the mean over the networks that vote; "main": [B, C], the main network's;
            "aux": {"audio": [B, C], "video": [B, C]}; "aux_votes": {the same: BoolTensor [B], False where the clip
            lacks the modality, whose logits then mean nothing}}.

        Raises:
            InputError: a modality is not there or has another width.
        """
        given = {m: self._sequence(m, streams, lengths) for m in self.modalities}
        main = self.main_head(torch.cat([self._main(m, given) for m in self.modalities], dim=1))
        auxiliary, votes = {}, {}
        for m, sequence in given.items():
            auxiliary[m] = self.auxiliary_head(self._alone(m, sequence))
            votes[m] = sequence.there
        total, count = main, torch.ones_like(main[:, :1])
        for m, logits in auxiliary.items():
            total = total + torch.where(votes[m][:, None], logits, 0.0)
            count = count + votes[m][:, None].to(count.dtype)
        return {"logits": total / count, "main": main, "aux": auxiliary, "aux_votes": votes}

    def _main(self, modality: str, given: Mapping[str, _Sequence]) -> Tensor:
        """What one modality gives to the fused vector, [B, D]."""
        own = given[modality]
        x = own.x
        positions: Tensor | None = own.positions
        for other in self.cross:
            if other != modality:
                memory = self._memory(modality, own, given[other])
                x, positions = _encoder(self.cross, modality)(x, own.rows, positions, memory), None
        y = _encoder(self.main, modality).last(x, own.rows, own.last, positions)
        return torch.where(own.there[:, None], y, 0.0)

    def _memory(self, query: str, own: _Sequence, other: _Sequence) -> Memory:
        hidden = None
        if self.causal and self.original_behaviour:
            ahead = 1 + abs(other.rows.steps - own.rows.steps)
            shape = own.rows.batch, own.rows.steps, other.rows.steps
            hidden = torch.ones(shape[1:], dtype=torch.bool, device=own.x.device).triu(ahead).expand(shape)
        elif self.causal:
            hidden = causal_between(own.lengths, other.lengths, own.rows.steps, other.rows.steps)
        x = _encoder(self.cross, query).embedded(other.x, other.positions)
        there = None if everywhere(other.there) else other.there[:, None, None].to(x.dtype)
        return Memory(x, other.rows, hidden, there)

    def _alone(self, modality: str, sequence: _Sequence) -> Tensor:
        """The auxiliary network of one modality, [B, D]."""
        encoder, x = _encoder(self.auxiliary, modality), sequence.x
        for _ in range(PASSES - 1):
            x = encoder(x, sequence.rows)
        return encoder.last(x, sequence.rows, sequence.last)

    def _sequence(
        self, modality: str, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> _Sequence:
        x = check_stream(modality, streams, lengths, self.dims[modality], f"--{modality}-dim")
        given = lengths[modality]
        if self.original_behaviour:  # every padded step is a step
            counted, there = torch.full_like(given, x.shape[1]), torch.ones_like(given, dtype=torch.bool)
        else:
            counted, there = given.clamp(min=1), given.gt(0)
            x = x[:, : longest(counted, x.shape[1])]
            x = x.masked_fill(padding_mask(given, x.shape[1])[..., None], 0.0)
        rows = Rows(counted.cpu(), x.device, x.shape[1])
        x = rows.pack(x)
        if modality in self.projections:
            x = self.projections[modality](x)
        positions = sinusoids(rows.steps, self.dim).to(x)
        positions = rows.pack(positions[None].expand(rows.batch, -1, -1))
        if self.original_behaviour:
            positions = positions.masked_fill(x[:, :1] == 0, 0.0)
        return _Sequence(x, rows, counted, positions, rows.last(counted), there)

    def _check_numbers(
        self, heads: int, layers: int, dropouts: tuple[float, float, float], out_dropout: float
    ) -> None:
        check_range("--encoder-attention-heads", heads, 1)
        check_range("--encoder-layers", layers, 0)
        check_range("--encoder-embed-dim", self.dim, 4)
        for name, dropout in zip(("attention", "activation", "residual"), dropouts):
            check_range(f"--{name}-dropout", dropout, 0, 1)
        check_range("--out-dropout", out_dropout, 0, 1)
        for m, width in self.dims.items():
            check_range(f"--{m}-dim", width, 1)
        if self.dim % heads:
            raise InputError.of(
                where="--encoder-embed-dim and --encoder-attention-heads",
                expected="a width that is a multiple of the number of heads",
                found=f"width {self.dim}, {heads} heads",
                remedy="change one of the two",
            )


def _encoder(encoders: nn.ModuleDict, modality: str) -> MulTEncoder:
    encoder = encoders[modality]
    assert isinstance(encoder, MulTEncoder)
    return encoder
