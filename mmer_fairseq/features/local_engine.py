"""Extraction on this machine: in this process, or in several that each take the next shard."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

import torch

from mmer_fairseq.encoders import Encoder
from mmer_fairseq.errors import InputError
from mmer_fairseq.features.work import Job, make_shard
from mmer_fairseq.workers import Report, start_method, work


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
        method = start_method(job.device)
        shared = None if workers > 1 and method == "spawn" else encoder.to(job.device)
        begin = functools.partial(_begin, job, shared)
        work(begin, numbers, workers, report, method=method, where=job.plan.folder)


def _begin(job: Job, shared: Encoder | None, report: Report) -> Callable[[int], None]:
    encoder = job.encoder() if shared is None else shared
    return lambda number: make_shard(job, number, encoder, report)
