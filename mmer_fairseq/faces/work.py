"""The clips of a run, done in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any, Callable

import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.clip_faces import Task, find, save
from mmer_fairseq.faces.detectors import DETECTORS, Detector
from mmer_fairseq.faces.settings import Settings

#: Called with (index of the task, '' or why its video cannot be read).
Report = Callable[[int, str], None]


@dataclass(frozen=True)
class Job:
    """What all workers need to know."""

    settings: Settings
    device: str = "cpu"

    def detector(self) -> Detector:
        return DETECTORS[self.settings.detector].build(self.settings.min_face, self.device)

    def begin(self) -> Callable[[Task], str]:
        """What a worker does with each clip: called once in its process; '' or why the video cannot be read."""
        detector = self.detector()
        return lambda task: do(self, task, detector)


def do(job: Job, task: Task, detector: Detector) -> str:
    """Find and save the faces of a clip; why its video cannot be read, or ''."""
    try:
        moments, crops = find(task, job.settings, detector)
    except InputError as error:
        return str(error)
    save(task, moments, crops)
    return ""


def work_here(job: Job, tasks: Sequence[Task], report: Report) -> None:
    """On one thread, as the workers do: several may round sums otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        work = job.begin()
        for index, task in enumerate(tasks):
            report(index, work(task))
    finally:
        torch.set_num_threads(threads)


def work_in_processes(job: Job, tasks: Sequence[Task], workers: int, report: Report) -> None:
    """In several processes, each taking the next clip that nobody has begun.

    Raises:
        InputError: a worker cannot write or have the detector, or died.
    """
    # A forked process starts at once; a GPU forbids forks.
    forks = torch.device(job.device).type == "cpu" and not torch.cuda.is_initialized()
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    todo, news = context.Queue(), context.Queue()
    arguments = (job, tasks, todo, news)
    processes = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(workers)]
    try:
        with (
            warnings.catch_warnings()
        ):  # Python warns of forks beside threads: ours hold no locks of the workers
            warnings.simplefilter("ignore", DeprecationWarning)
            for process in processes:
                process.start()
        for index in [*range(len(tasks)), *[None] * workers]:
            todo.put(index)
        left = len(tasks)
        while left:
            try:
                kind, index, about = news.get(timeout=1.0)
            except queue.Empty:
                _check_alive(processes)
                continue
            if kind == "input error":
                raise InputError(about)
            if kind == "crash":
                raise RuntimeError(f"a worker failed\n{about}")
            left -= 1
            report(index, about)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
        todo.cancel_join_thread()


def _check_alive(processes: Sequence[Any]) -> None:
    for process in processes:
        if process.exitcode not in (None, 0):
            how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"status {process.exitcode}"
            raise InputError.of(
                where="mmer faces",
                expected="all workers to live until the end",
                found=f"one that was ended by {how} (signal 9 often means: out of memory)",
                remedy="run it again, with fewer --workers; what is finished is kept",
            )


def _worker(job: Job, tasks: Sequence[Task], todo: Any, news: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        work = job.begin()
        for index in iter(todo.get, None):
            news.put(("clip", index, work(tasks[index])))
    except InputError as error:
        news.put(("input error", 0, str(error)))
    except Exception:
        news.put(("crash", 0, traceback.format_exc()))


def _end_with_parent() -> None:
    """A parent killed outright cannot end its workers, and they must not go on behind the next run's back."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
