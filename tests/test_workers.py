"""Tasks are done once each, by whoever does them, and what ends a worker is told."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.workers import start_method, work


def run(begin, workers: int) -> list:
    news = []
    numbers = range(3, 10)
    work(begin, numbers, workers, lambda *told: news.append(told), method="fork", where="a run")
    return news


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_task_is_done_once_on_one_thread(workers):
    def begin(report):
        return lambda number: report("seen", (number, torch.get_num_threads()))

    assert sorted(run(begin, workers)) == [("seen", (number, 1)) for number in range(3, 10)]


def test_what_ends_a_worker_is_told():
    def refuse(report):
        raise InputError("no room")

    with pytest.raises(InputError, match=r"^no room$"):
        run(refuse, 2)
    with pytest.raises(RuntimeError, match=r"a worker failed\n(.|\n)*ZeroDivisionError"):
        run(lambda report: lambda number: 1 // 0, 2)
    with pytest.raises(InputError) as error:
        run(lambda report: lambda number: os.kill(os.getpid(), signal.SIGKILL), 2)
    assert str(error.value) == (
        "a run: expected all workers to live until the end; found one that was ended by signal 9 (signal 9 often "
        "means: out of memory). Run it again, with fewer --workers; what is finished is kept."
    )


def test_a_gpu_forbids_forks():
    assert (start_method("cpu"), start_method("cuda:0")) == ("fork", "spawn")
