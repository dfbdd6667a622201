"""The work of an extraction: media → encoder → one shard, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Callable

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

#: Steps of a trace whose media are decoded together: a long recording takes no more memory than a short one.
_STRETCH = 1024

#: Called with ("clip", id) or ("steps", how many), ("skip", (id, reason)) and ("shard", number) as the work goes on.
Report = Callable[[str, Any], None]


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


def work_here(job: Job, numbers: Sequence[int], encoder: Encoder, report: Report) -> None:
    """Make shards in this process, on one thread as the workers do: several may round sums otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for number in numbers:
            make_shard(job, number, encoder, report)
    finally:
        torch.set_num_threads(threads)


def start_method(device: str) -> str:
    """Forked workers share the encoder and start at once, as torch's data loaders do; a GPU forbids it."""
    return "fork" if torch.device(device).type == "cpu" and not torch.cuda.is_initialized() else "spawn"


def work_in_processes(
    job: Job, numbers: Sequence[int], workers: int, encoder: Encoder, report: Report
) -> None:
    """Make shards in several processes, each taking the next one that nobody has begun.

    Raises:
        InputError: a worker met one, or died.
    """
    context: Any = multiprocessing.get_context(start_method(job.device))
    shared = encoder if context.get_start_method() == "fork" else None
    todo, news = context.Queue(), context.Queue()
    arguments = (job, shared, todo, news)
    processes = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(workers)]
    try:
        with (
            warnings.catch_warnings()
        ):  # Python warns of forks beside threads: ours hold no locks of the workers
            warnings.simplefilter("ignore", DeprecationWarning)
            for process in processes:
                process.start()
        for number in [*numbers, *[None] * workers]:
            todo.put(number)
        left = len(numbers)
        while left:
            try:
                kind, about = news.get(timeout=1.0)
            except queue.Empty:
                _check_alive(processes, job)
                continue
            if kind == "input error":
                raise InputError(about)
            if kind == "crash":
                raise RuntimeError(f"a worker of the extraction failed\n{about}")
            left -= kind == "shard"
            report(kind, about)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
        todo.cancel_join_thread()


def _check_alive(processes: Sequence[Any], job: Job) -> None:
    for process in processes:
        if process.exitcode not in (None, 0):
            how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"status {process.exitcode}"
            raise InputError.of(
                where=job.plan.folder,
                expected="all workers to live until the end",
                found=f"one that was ended by {how} (signal 9 often means: out of memory)",
                remedy="run it again, with fewer --workers; what is finished is kept",
            )


def _worker(job: Job, encoder: Encoder | None, todo: Any, news: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        encoder = encoder or job.encoder()
        for number in iter(todo.get, None):
            make_shard(job, number, encoder, lambda kind, about: news.put((kind, about)))
    except InputError as error:
        news.put(("input error", str(error)))
    except Exception:
        news.put(("crash", traceback.format_exc()))


def _end_with_parent() -> None:
    """A parent killed outright cannot end its workers, and they must not go on behind the next run's back."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
