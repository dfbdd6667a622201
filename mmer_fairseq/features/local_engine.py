"""Extraction on this machine: in this process, or in several that each take the next shard."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

import torch

from mmer_fairseq.encoders import Encoder
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.work import Job, Report, failures_reported, make_shard, one_thread, passed_on


@dataclass(frozen=True)
class LocalEngine:
    """Processes of this machine.

    Attributes:
        workers: how many, each with one thread; 1: no process but this one.
    """

    workers: int = 1

    def check_device(self, device: str) -> None:
        """The device must be one of this machine (InputError)."""
        try:
            usable = torch.device(device).type != "cuda" or torch.cuda.is_available()
        except RuntimeError:
            usable = False
        if not usable:
            raise InputError.of(
                where="--device",
                expected="a device of this machine ('cpu'"
                + (", 'cuda')" if torch.cuda.is_available() else ")"),
                found=repr(device),
                remedy="write one of them",
            )

    def make(self, job: Job, numbers: Sequence[int], encoder: Encoder, report: Report) -> None:
        """See ``work.Engine``."""
        workers = min(self.workers, len(numbers))
        if workers > 1:
            _work_in_processes(job, numbers, workers, encoder, report)
            return
        encoder = encoder.to(job.device)
        with one_thread():
            for number in numbers:
                make_shard(job, number, encoder, report)


def start_method(device: str) -> str:
    """Forked workers share the encoder and start at once, as torch's data loaders do; a GPU forbids it."""
    return "fork" if torch.device(device).type == "cpu" and not torch.cuda.is_initialized() else "spawn"


def _work_in_processes(
    job: Job, numbers: Sequence[int], workers: int, encoder: Encoder, report: Report
) -> None:
    """Make shards in several processes, each taking the next one that nobody has begun."""
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
            passed_on(kind, about, report)
            left -= kind == "shard"
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

    def report(kind: str, about: Any) -> None:
        news.put((kind, about))

    with failures_reported(report), one_thread():
        encoder = encoder or job.encoder()
        for number in iter(todo.get, None):
            make_shard(job, number, encoder, report)


def _end_with_parent() -> None:
    """A parent killed outright cannot end its workers, and they must not go on behind the next run's back."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
