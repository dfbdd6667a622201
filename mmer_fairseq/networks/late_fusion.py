"""LF-RNN and LF-Transformer: one reader a modality, its logits, and learned late fusion.

Source: the baselines of Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition", NAACL 2021, and
its published code, which lets padding take part; ``original_behaviour`` reproduces that.

Letters for shapes: B clips, T steps, D width of a modality, C outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.checks import check_range, check_stream
from mmer_fairseq.modules.cls_transformer import ClsTransformer
from mmer_fairseq.modules.dense import is_dense
from mmer_fairseq.modules.late_fusion import LateFusion
from mmer_fairseq.modules.masks import padding_mask
from mmer_fairseq.modules.regressors import PooledHead
from mmer_fairseq.modules.rows import Rows

#: In the order of the fusion weights.
MODALITIES = ("text", "audio", "video")
#: Attention heads of LF-Transformer.
HEADS = {"text": 4, "audio": 2, "video": 5}


class LateFusionNetwork(nn.Module):
    """What both have in common: readers [B, T, D] → [B, E], heads [B, E] → [B, C], fusion.

    A clip may lack any modality (length 0), even all: what is missing adds nothing to the weighted sum of logits.
    """

    def __init__(self, *, dims: Mapping[str, int], original_behaviour: bool) -> None:
        """Keep the sizes; a subclass builds ``readers`` and ``heads``.

        Args:
            dims: modality → width of its features.
            original_behaviour: let padding take part, as the original's code does.

        Raises:
            InputError: no or an unknown modality, or a width below 1.
        """
        super().__init__()
        check_modalities(tuple(dims), "late fusion")
        self.modalities = tuple(m for m in MODALITIES if m in dims)
        self.output_layers = tuple(f"heads.{m}.out_proj" for m in self.modalities)
        self.dims = {m: dims[m] for m in self.modalities}
        for m, dim in self.dims.items():
            check_range(f"width of {m}", dim, 1)
        self.original_behaviour = original_behaviour
        self.readers = nn.ModuleDict()
        self.heads = nn.ModuleDict()
        self.fusion = LateFusion(self.modalities)

    def forward(self, streams: Mapping[str, Tensor], lengths: Mapping[str, Tensor]) -> dict[str, Any]:
        """Predict.

        Args:
            streams: modality → FloatTensor [B, T, D]; modalities of other networks are not looked at.
            lengths: modality → LongTensor [B], real steps; 0: the clip has no such modality.

        Returns:
            {"logits": FloatTensor [B, C], "aux": {}}.

        Raises:
            InputError: a modality is not there or has another width.
        """
        logits, there = {}, {}
        for m in self.modalities:
            x = check_stream(m, streams, lengths, self.dims[m], "--features, which the model was built for")
            x = x.masked_fill(padding_mask(lengths[m], x.shape[1])[..., None], 0.0)
            logits[m] = self.heads[m](self.read(m, x, lengths[m]))
            there[m] = lengths[m] > 0
        return {"logits": self.fusion(logits, there), "aux": {}}

    def read(self, modality: str, x: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, D], zero at padded steps → [B, E]."""
        raise NotImplementedError


class LFRNN(LateFusionNetwork):
    """A bidirectional LSTM of the width of the features for each modality: E = 2 D, the last state of each direction.

    With ``original_behaviour`` both directions run over padding, and text takes both from the last padded step, where
    the backward one has seen that step alone.
    """

    def __init__(self, *, dims: Mapping[str, int], outputs: int, original_behaviour: bool = False) -> None:
        """Build it; ``outputs`` is C, the others are those of :class:`LateFusionNetwork`."""
        super().__init__(dims=dims, original_behaviour=original_behaviour)
        for m, dim in self.dims.items():
            self.readers[m] = nn.LSTM(dim, dim, batch_first=True, bidirectional=True)
            self.heads[m] = PooledHead(dim=2 * dim, hidden=dim, outputs=outputs, dropout=0.0)

    def read(self, modality: str, x: Tensor, lengths: Tensor) -> Tensor:
        lstm = self.readers[modality]
        if self.original_behaviour:
            steps, (last, _) = lstm(x)
            return steps[:, -1] if modality == "text" else torch.cat([last[0], last[1]], dim=1)
        counts = lengths.clamp(min=1).cpu()  # an absent one is read as one step of zeros, and not looked at
        if is_dense():
            assert isinstance(lstm, nn.LSTM)
            return _last_states(lstm, x, counts)
        packed = pack_padded_sequence(x, counts, batch_first=True, enforce_sorted=False)
        _, (last, _) = lstm(packed)
        return torch.cat([last[0], last[1]], dim=1)


def _last_states(lstm: nn.LSTM, x: Tensor, counts: Tensor) -> Tensor:
    """The last state of each direction, without packing: [B, T, D] and LongTensor [B] → [B, 2 D].

    The backward direction reads each clip from its own last step; what comes behind is not looked at.
    """
    t = torch.arange(x.shape[1])[None]
    backwards = (counts[:, None] - 1 - t).clamp(min=0)
    turned = x.gather(1, backwards[..., None].expand(-1, -1, x.shape[2]))
    last = (counts - 1)[:, None, None].expand(-1, 1, lstm.hidden_size)
    states = []
    for own, ending in ((x, ""), (turned, "_reverse")):
        names = (
            f"weight_ih_l0{ending}",
            f"weight_hh_l0{ending}",
            f"bias_ih_l0{ending}",
            f"bias_hh_l0{ending}",
        )
        w_in, w_back, *biases = (getattr(lstm, name) for name in names)
        states.append(_all_states(F.linear(own, w_in, sum(biases)), w_back).gather(1, last)[:, 0])
    return torch.cat(states, dim=1)


def _all_states(given: Tensor, weight: Tensor) -> Tensor:
    """The states of an LSTM at all steps: what comes into its gates [B, T, 4 D], weight [4 D, D] → [B, T, D].

    A loop within the graph, whatever T is.
    """
    from torch._higher_order_ops import scan

    nothing = given.new_zeros(given.shape[0], weight.shape[1])

    def step(state: tuple[Tensor, Tensor], x: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        i, f, g, o = (x + state[0] @ weight.t()).chunk(4, dim=1)
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return (hidden, cell), hidden.clone()

    state = (nothing, nothing.clone())
    if not torch.compiler.is_exporting():  # there, scan would be compiled first
        states = []
        for x in given.unbind(1):
            state, hidden = step(state, x)
            states.append(hidden)
        return torch.stack(states, dim=1)
    return scan(step, state, given.transpose(0, 1))[1].transpose(0, 1)


class LFTransformer(LateFusionNetwork):
    """A transformer of the width of the features for each modality, which reads it into one vector: E = D.

    With ``original_behaviour`` the padding of text takes part.
    """

    def __init__(
        self,
        *,
        dims: Mapping[str, int],
        outputs: int,
        layers: int = 2,
        attention_heads: Mapping[str, int] | None = None,
        dropout: float = 0.1,
        original_behaviour: bool = False,
    ) -> None:
        """Build it.

        Args:
            dims, original_behaviour: those of :class:`LateFusionNetwork`.
            outputs: C.
            layers: of each transformer.
            attention_heads: modality → heads; one that is not named, or 0, gets the largest number up to the original's
                (4, 2, 5 for text, audio, video) that divides its width.
            dropout: probability in the transformers.

        Raises:
            InputError: as :class:`LateFusionNetwork`; heads that do not divide a width, or a number out of range.
        """
        super().__init__(dims=dims, original_behaviour=original_behaviour)
        check_range("--trans-nlayers", layers, 1)
        check_range("--dropout", dropout, 0, 1)
        for m, dim in self.dims.items():
            heads = heads_for(m, dim, (attention_heads or {}).get(m, 0))
            self.readers[m] = ClsTransformer(dim=dim, layers=layers, heads=heads, dropout=dropout)
            self.heads[m] = PooledHead(dim=dim, hidden=max(dim // 2, 1), outputs=outputs, dropout=0.0)

    def read(self, modality: str, x: Tensor, lengths: Tensor) -> Tensor:
        counts = lengths.cpu()
        if self.original_behaviour and modality == "text":
            counts = torch.full_like(counts, x.shape[1])
        return self.readers[modality](packed_steps(x, counts), counts)


def heads_for(modality: str, dim: int, asked: int) -> int:
    """The number of heads of a transformer of width ``dim``.

    Raises:
        InputError: a number was asked for, and it does not divide the width.
    """
    if asked == 0:
        return max(n for n in range(1, HEADS[modality] + 1) if dim % n == 0)
    if asked < 0 or dim % asked:
        raise InputError.of(
            where=f"--heads-{modality}",
            expected=f"a number that divides the width {dim} of {modality}",
            found=asked,
            remedy="change it, or leave it out",
        )
    return asked


def check_modalities(found: Sequence[str], system: str) -> None:
    """Refuse no or an unknown modality.

    Raises:
        InputError: there is one.
    """
    if not found or not set(found) <= set(MODALITIES):
        raise InputError.of(
            where="--modalities",
            expected=f"one or more of {', '.join(MODALITIES)}, which is what {system} takes",
            found=", ".join(found) or "none",
            remedy="choose with --modalities text,audio,video",
        )


def packed_steps(x: Tensor, counts: Tensor) -> Tensor:
    """[B, T, D] → [N, D], the first ``counts`` (LongTensor [B] on the CPU) steps of each clip; dense: all."""
    if is_dense():
        return x.masked_fill(padding_mask(counts, x.shape[1])[..., None], 0.0).flatten(0, 1)
    present = counts > 0
    if not bool(present.any()):
        return x[:0, 0]
    if not bool(present.all()):
        x, counts = x[present.to(x.device)], counts[present]
    return Rows(counts, x.device).pack(x[:, : int(counts.max())])
