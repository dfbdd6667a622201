"""What goes into an exported model: shapes and types, and batches of noise to try it with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmer_fairseq.encoders.base import StreamSpec
from mmer_fairseq.encoders.embedding import TextEmbedding
from mmer_fairseq.export.graph import Graph

Batch = dict[str, dict[str, Tensor]]

#: Form → steps of the clips that a model is tried with: short, longer.
_TRIED = {"tokens": (2, 13), "samples": (90, 9000), "frames": (1, 4), "series": (5, 90), "features": (1, 17)}


@dataclass(frozen=True)
class Input:
    """One modality.

    Attributes:
        form: as of ``StreamSpec``; ``features`` where the encoder is left out.
        dtype: of torch.
        rest: shape behind batch and steps.
        rate: steps a second, in Hz; 0: no clock.
        chunk: steps of a sub-sequence, of which a stream is a multiple; 0: it is not cut.
        max_steps: that a clip may have; 0: any number.
        tokens: the vocabulary is so large; 0: no tokens.
        encoder: left out of the graph, which makes the features; '': none.
    """

    form: str
    dtype: torch.dtype
    rest: tuple[int, ...]
    rate: float
    chunk: int
    max_steps: int
    tokens: int
    encoder: str

    def described(self, modality: str) -> dict[str, Any]:
        """For ``model.json``."""
        return {
            "form": self.form,
            "shape": ["batch", f"{modality}_steps", *self.rest],
            "dtype": str(self.dtype).rpartition(".")[2],
            "rate": self.rate,
            "chunk": self.chunk,
            "max_steps": self.max_steps,
            "vocab_size": self.tokens,
            "encoder": self.encoder,
        }


def inputs_of(graph: Graph, model: Any, specs: Mapping[str, StreamSpec]) -> dict[str, Input]:
    """Modality → what the graph takes."""
    limits = getattr(graph.network, "max_positions", {})
    found = {}
    for m in graph.modalities:
        spec, encoder = specs[m], model.encoders.encoder[m]
        inside = m in graph.encodes and spec.form != "features"
        limit = int(limits.get(m, 0))
        limit = max(limit - (m != "text"), 0)  # the start vector takes a place
        form, dtype, tokens = "features", torch.float32, 0
        rest: tuple[int, ...] = (int(encoder.dim),)
        if inside:
            form = spec.form
            rest = {"frames": (3, spec.frame_size, spec.frame_size), "series": (spec.dim,)}.get(form, ())
        if isinstance(encoder, TextEmbedding) and inside:
            dtype, tokens = torch.int64, encoder.vocab_size
        stride = 1 if inside else encoder.stride
        found[m] = Input(
            form=form,
            dtype=dtype,
            rest=rest,
            rate=spec.rate / stride if spec.form != "features" else spec.rate,
            chunk=spec.chunk if m in graph.encodes else 0,
            max_steps=limit * ((spec.chunk or encoder.stride) if inside else 1),
            tokens=tokens,
            encoder="" if m in graph.encodes else spec.encoder.partition(":")[0] or type(encoder).__name__,
        )
    return found


def noise(inputs: Mapping[str, Input], lengths: Mapping[str, list[int]], seed: int) -> Batch:
    """A batch of clips of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    streams = {}
    for m, own in inputs.items():
        size = (len(lengths[m]), max(*lengths[m], own.chunk, 1), *own.rest)
        if own.dtype == torch.int64:
            streams[m] = torch.randint(2, max(own.tokens, 3), size, generator=generator)
        elif own.form == "frames":
            streams[m] = torch.rand(size, generator=generator)
        else:
            streams[m] = torch.randn(size, generator=generator) * (0.1 if own.form == "samples" else 1.0)
    return {"streams": streams, "lengths": {m: torch.tensor(lengths[m]) for m in inputs}}


def stretched(inputs: Mapping[str, Input], batch: Batch) -> Batch:
    """The same clips, padded to two steps at least, as a graph of ``torch.export`` may ask for."""
    streams = {}
    for m, x in batch["streams"].items():
        more = max(2 * max(inputs[m].chunk, 1) - x.shape[1], 0)
        streams[m] = torch.cat([x, x.new_zeros(x.shape[0], more, *x.shape[2:])], dim=1)
    return {**batch, "streams": streams}


def trial_batches(inputs: Mapping[str, Input]) -> Iterator[Batch]:
    """Batches of several sizes and lengths, with clips that lack a modality, or all, and one as the graph was made."""
    generator = torch.Generator().manual_seed(3)
    for number, (batch, longest) in enumerate(((1, 0), (1, 1), (2, 0), (3, 1), (5, 1))):
        for missing in (None, *inputs) if number == 3 else (None,):
            lengths = {}
            for m, own in inputs.items():
                unit, (least, most) = own.chunk or 1, (1, 3) if own.chunk else _TRIED[own.form]
                most = min(most, own.max_steps or most)
                top = most if longest else min(least, most)
                drawn = torch.randint(0, top + 1, (batch,), generator=generator)
                drawn[0] = top
                if batch == 2:
                    drawn[1] = 0
                lengths[m] = [0] * batch if m == missing else (drawn * unit).tolist()
            yield noise(inputs, lengths, seed=number)
    yield noise(inputs, {m: [0, 0] for m in inputs}, seed=9)
