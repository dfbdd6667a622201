"""All encoders of a model: the batch's streams → features of the widths that a network wants."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.registry import build_encoder, is_pretrained
from mmer_fairseq.errors import InputError
from mmer_fairseq.modules.dialogue import utterance_steps
from mmer_fairseq.modules.masks import padding_mask

logger = logging.getLogger(__name__)


class StreamEncoders(nn.Module):
    """One encoder a modality, and a linear projection where its width is not the one asked for.

    Args:
        specs: modality → its stream, in the order in which the encoders are built.
        widths: modality → width that the network wants.
        dropout: of the small trainable encoders (None: as their stream says).
    """

    def __init__(
        self, specs: Mapping[str, StreamSpec], widths: Mapping[str, int], dropout: float | None = None
    ) -> None:
        super().__init__()
        self.widths = {modality: widths[modality] for modality in specs}
        self.chunk = {modality: spec.chunk for modality, spec in specs.items()}
        self.encoder = nn.ModuleDict()
        self.projection = nn.ModuleDict()
        for modality, spec in specs.items():
            spec = spec if dropout is None else replace(spec, dropout=dropout)
            # Weights read from a file draw random numbers for nothing; without the fork the network would start
            # from other weights than one that is trained on the same encoder's stored features.
            given = is_pretrained(spec)
            with torch.random.fork_rng(devices=[], enabled=given):
                encoder = build_encoder(spec, self.widths[modality])
            self.encoder[modality] = encoder
            if encoder.dim != self.widths[modality]:
                self.projection[modality] = nn.Linear(encoder.dim, self.widths[modality])
                logger.info(
                    "%s: a linear layer takes the encoder's %d features to the %d of the network",
                    modality,
                    encoder.dim,
                    self.widths[modality],
                )

    def forward(
        self,
        streams: Mapping[str, Tensor],
        lengths: Mapping[str, Tensor],
        context: Mapping[str, Tensor] | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Encode a batch.

        Args:
            streams: modality → [B, T, …]. A modality that no clip of the batch has may be left out.
            lengths: modality → LongTensor [B], valid steps, 0 where a clip lacks the modality.
            context: the dialogues that the texts are part of, each once (see ``data.dialogues.collate_context``); the
                text's encoder reads them, and a clip's text is cut out of what it gives.

        Returns:
            modality → FloatTensor [B, T', width], zero at padded steps (T' is 1 where no clip has the
            modality), and modality → LongTensor [B].

        Raises:
            InputError: the batch does not hold a stream that the model was built for.
        """
        features: dict[str, Tensor] = {}
        steps: dict[str, Tensor] = {}
        for modality, encoder in self.encoder.items():
            if modality not in lengths or (modality not in streams and bool(lengths[modality].any())):
                raise InputError.of(
                    where="batch",
                    expected=f"the stream '{modality}', which this model was built for",
                    found=f"streams {sorted(streams)} with lengths for {sorted(lengths)}",
                    remedy="load the data with the modalities that the model was trained with (--modalities)",
                )
            x = streams.get(modality)
            if x is None:
                dtype = next((s.dtype for s in streams.values() if s.is_floating_point()), None)
                x = torch.zeros(len(lengths[modality]), 1, dtype=dtype, device=lengths[modality].device)
            chunk = self.chunk[modality]
            if context is not None and modality == "text":
                y, steps[modality] = in_dialogue(encoder, context, lengths[modality])
            elif chunk and bool(lengths[modality].any()):
                y, steps[modality] = each_chunk(encoder, x, lengths[modality], chunk)
            else:
                y, steps[modality] = encoder(x, lengths[modality])
            if modality in self.projection:
                projection = cast(nn.Linear, self.projection[modality])
                y = projection(y.to(projection.weight.dtype))
                y = y.masked_fill(padding_mask(steps[modality], y.size(1))[..., None], 0.0)
            features[modality] = y
        return features, steps


def in_dialogue(encoder: nn.Module, context: Mapping[str, Tensor], lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Encode dialogues, each once, and cut the clips' texts out of them.

    Args:
        encoder: of text.
        context: ``tokens`` LongTensor [D, T], ``lengths`` LongTensor [D], ``spans`` LongTensor [B, 3]: dialogue, first
            token and number of tokens of each clip's text.
        lengths: LongTensor [B]; 0: a clip's text is taken away.

    Returns:
        [B, T', D], zero at padded steps, and LongTensor [B].
    """
    y, _ = encoder(context["tokens"], context["lengths"])
    rows, starts, counts = context["spans"].unbind(dim=1)
    return utterance_steps(y, rows, starts, counts.where(lengths > 0, 0))


def each_chunk(encoder: nn.Module, x: Tensor, lengths: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Encode each sub-sequence by itself, to the mean of the vectors that it becomes.

    Args:
        encoder: of the stream.
        x: [B, S·chunk, …].
        lengths: LongTensor [B], multiples of ``chunk``.
        chunk: steps of a sub-sequence.

    Returns:
        [B, S, D], zero at padded sub-sequences, and LongTensor [B].
    """
    batch, steps = len(x), x.shape[1] // chunk
    valid = ~padding_mask(lengths // chunk, steps).flatten()
    y, inside = encoder(x.reshape(batch * steps, chunk, *x.shape[2:]), valid * chunk)
    y = y.sum(dim=1) / inside.clamp(min=1)[:, None]
    return y.view(batch, steps, -1), lengths // chunk
