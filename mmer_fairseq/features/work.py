"""The work of an extraction: media → encoder → one shard; and what an engine is, which has shards made.

Engines differ only in who makes a shard. What is in it is decided here: the clips, their batches, and that every
process computes on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmer_fairseq.corpus import Clip
from mmer_fairseq.corpus.streams import RawOptions, read_stream, stream_seconds
from mmer_fairseq.corpus.subsequences import Stretch, SubsequenceReader, Subsequences
from mmer_fairseq.encoders import Encoder, StreamSpec, build_encoder
from mmer_fairseq.encoders.streams import each_chunk
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.plan import Plan
from mmer_fairseq.features.write import as_stored, save_shard
from mmer_fairseq.workers import Report

#: Steps of a trace whose media are decoded together: a long recording takes no more memory than a short one.
_STRETCH = 1024


@dataclass(frozen=True)
class Job:
    """All that a worker process needs to know.

    Attributes:
        plan: which clips, and what the store will hold.
        spec: the stream and its encoder.
        options: how media are read.
        device: where the encoder runs, as torch names it.
        subsequences: one vector for each step of a clip's trace, of the sub-sequence that ends there; None: clips are
            encoded whole.
        rate: steps of a trace a second, in Hz, for clips that have no rate of their own.
    """

    plan: Plan
    spec: StreamSpec
    options: RawOptions
    device: str
    subsequences: Subsequences | None = None
    rate: float = 0.0

    def encoder(self) -> Encoder:
        """The encoder, frozen, on its device."""
        return build_encoder(self.spec, self.plan.made.dim).freeze().to(self.device)


class Engine(Protocol):
    """Who makes the shards."""

    def check_device(self, device: str) -> None:
        """Refuse a device that the workers cannot have (InputError)."""

    def make(self, job: Job, numbers: Sequence[int], encoder: Encoder, report: Report) -> None:
        """Make shards, each once, in any order, and pass on what is reported of them.

        Args:
            job: all shards.
            numbers: of the shards to make, at least one.
            encoder: of the job, on the CPU, for workers that can share it.
            report: called in this process, as the work goes on, with ("clip", id) or ("steps", how many), ("skip", (id,
                reason)) and ("shard", number).

        Raises:
            InputError: a worker met one, or died.
        """


def make_shard(job: Job, number: int, encoder: Encoder, report: Report) -> None:
    """Encode the clips of one shard and write it. Clips that cannot be read are reported and left out."""
    plan = job.plan
    clips = plan.shards[number]
    stored: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}

    def skip(clip: Clip, error: InputError) -> None:
        skipped[clip.id] = str(error)
        report("skip", (clip.id, str(error)))

    for clip in clips if job.subsequences is not None else ():
        try:
            encoded = _encode_trace(job, clip, encoder, report)
            stored[clip.id] = as_stored(clip.id, encoded, plan.made, clip.where)
        except InputError as error:
            skip(clip, error)
    for batch in _batches(clips, plan.made.modality, plan.batch_size) if job.subsequences is None else ():
        streams: list[tuple[Clip, Tensor]] = []
        for clip in batch:
            try:
                streams.append((clip, read_stream(clip, plan.made.modality, job.options)))
            except InputError as error:
                skip(clip, error)
        for clip, vectors in _encode(streams, encoder, job.device):
            if isinstance(vectors, InputError):
                skip(clip, vectors)
                continue
            try:
                stored[clip.id] = as_stored(clip.id, vectors, plan.made, clip.where)
            except InputError as error:
                skip(clip, error)
                continue
            report("clip", clip.id)
    save_shard(plan.folder, number, stored, plan.made, skipped)
    report("shard", number)


def _encode_trace(job: Job, clip: Clip, encoder: Encoder, report: Report) -> Tensor:
    """One vector for each step of the clip's trace; media are decoded stretch by stretch."""
    plan, subsequences = job.plan, job.subsequences
    assert subsequences is not None
    assert plan.steps is not None
    reader = SubsequenceReader(plan.made.modality, job.options, subsequences, job.spec.chunk)
    steps, vectors = plan.steps[clip.id], []
    for first in range(0, steps, _STRETCH):
        around = first, min(first + _STRETCH, steps) - 1
        for at in range(first, around[1] + 1, plan.batch_size):
            targets = np.arange(at, min(at + plan.batch_size, around[1] + 1))
            x = reader.read(clip, Stretch(targets, clip.rate or job.rate, around))[None].to(job.device)
            with torch.no_grad():
                y, _ = each_chunk(encoder, x, torch.tensor([x.shape[1]], device=job.device), job.spec.chunk)
            vectors.append(y[0].cpu())
            report("steps", len(targets))
    return torch.cat(vectors)


def _batches(clips: Sequence[Clip], modality: str, size: int) -> Iterator[list[Clip]]:
    """Sounds of similar length together, so that little padding is computed; always the same batches."""

    def seconds(clip: Clip) -> float:
        try:
            return stream_seconds(clip, modality)
        except InputError:
            return 0.0  # reading it will say what is wrong

    ordered = sorted(clips, key=seconds) if modality == "audio" else list(clips)
    for at in range(0, len(ordered), size):
        yield ordered[at : at + size]


def _encode(
    streams: list[tuple[Clip, Tensor]], encoder: Encoder, device: str
) -> Iterator[tuple[Clip, Tensor | InputError]]:
    """Encode clips together; if the encoder refuses them, one by one, to know which one it was."""
    if not streams:
        return
    lengths = torch.tensor([len(stream) for _, stream in streams], device=device)
    x = pad_sequence([stream for _, stream in streams], batch_first=True).to(device)
    try:
        y, steps = encoder(x, lengths)
    except InputError as error:
        if len(streams) == 1:
            clip = streams[0][0]
            yield clip, InputError(f"{clip.where}: {error}")
            return
        for each in streams:
            yield from _encode([each], encoder, device)
        return
    except torch.cuda.OutOfMemoryError as error:
        raise InputError.of(
            where=f"--device {device}",
            expected=f"memory for {len(streams)} clips at once",
            found="too little",
            remedy="choose a smaller --batch-size (another --name, or remove the store first)",
        ) from error
    for (clip, _), vectors, length in zip(streams, y.cpu(), steps.tolist()):
        yield clip, vectors[:length]
