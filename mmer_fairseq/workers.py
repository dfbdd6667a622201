"""Processes that each take the next task that nobody has begun; what ends one of them reaches the parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from typing import Any, Callable

import torch

from mmer_fairseq.errors import InputError

#: Called with what kind of news it is, and what about.
Report = Callable[[str, Any], None]
#: Called once in each process, with what takes its news; what it returns is called with the number of each task.
Begin = Callable[[Report], Callable[[int], None]]

#: News of the workers themselves: a task is done, an InputError, another error.
_DONE, _INPUT_ERROR, _CRASH = "done", "input error", "crash"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as all workers do: several may round sums otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def failures_reported(report: Report) -> Iterator[None]:
    """In a worker: what ends it reaches the other side as a report, as errors do not travel whole."""
    try:
        yield
    except InputError as error:
        report(_INPUT_ERROR, str(error))
    except Exception:
        report(_CRASH, traceback.format_exc())


def passed_on(kind: str, about: Any, report: Report) -> None:
    """Hand a worker's report on; a failure is raised here.

    Raises:
        InputError: the worker met one.
        RuntimeError: it met anything else, with its traceback.
    """
    if kind == _INPUT_ERROR:
        raise InputError(about)
    if kind == _CRASH:
        raise RuntimeError(f"a worker failed\n{about}")
    report(kind, about)


def start_method(device: str) -> str:
    """Forked workers share what is there and start at once, as torch's data loaders do; a GPU forbids it."""
    return "fork" if torch.device(device).type == "cpu" and not torch.cuda.is_initialized() else "spawn"


def work(
    begin: Begin, numbers: Sequence[int], workers: int, report: Report, *, method: str, where: object
) -> None:
    """Do tasks: in this process, or in several that each take the next one.

    Args:
        begin: what each process does; under ``spawn`` it is pickled.
        numbers: of the tasks.
        workers: processes, each with one thread; 1 or less: this one.
        report: called in this process with what the workers report.
        method: how processes start: ``fork`` or ``spawn``.
        where: what the run is called in messages.

    Raises:
        InputError: a worker met one, or died.
        RuntimeError: a process met another error.
    """
    if workers > 1:
        _in_processes(begin, numbers, workers, report, method, where)
        return
    with one_thread():
        each = begin(report)
        for number in numbers:
            each(number)


def _in_processes(
    begin: Begin, numbers: Sequence[int], workers: int, report: Report, method: str, where: object
) -> None:
    context: Any = multiprocessing.get_context(method)
    todo, news = context.Queue(), context.Queue()
    arguments = (begin, todo, news)
    processes = [context.Process(target=_worker, args=arguments, daemon=True) for _ in range(workers)]
    try:
        with warnings.catch_warnings():
            # Python warns of forks beside threads: ours hold no locks of the workers
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
                _check_alive(processes, where)
                continue
            if kind == _DONE:
                left -= 1
            else:
                passed_on(kind, about, report)
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.terminate()
        todo.cancel_join_thread()


def _check_alive(processes: Sequence[Any], where: object) -> None:
    for process in processes:
        if process.exitcode not in (None, 0):
            how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"status {process.exitcode}"
            raise InputError.of(
                where=where,
                expected="all workers to live until the end",
                found=f"one that was ended by {how} (signal 9 often means: out of memory)",
                remedy="run it again, with fewer --workers; what is finished is kept",
            )


def _worker(begin: Begin, todo: Any, news: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def report(kind: str, about: Any) -> None:
        news.put((kind, about))

    with failures_reported(report), one_thread():
        each = begin(report)
        for number in iter(todo.get, None):
            each(number)
            report(_DONE, number)


def _end_with_parent() -> None:
    """A parent killed outright cannot end its workers, and they must not go on behind the next run's back."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
