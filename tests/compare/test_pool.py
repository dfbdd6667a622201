"""Runs side by side: what ends well, what fails, what is stopped, and where each runs."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from mmer_fairseq.compare import pool as pools
from mmer_fairseq.compare.pool import Place, Pool, finished, places
from mmer_fairseq.errors import InputError

CPU = Place("cpu", 1)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(pools, "LOOK", 0.02)


@pytest.fixture
def signals():
    """As in a terminal: a run of the tests in the background ignores Ctrl-C, one under nohup the hang-up."""
    wanted = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {sign: signal.signal(sign, handler) for sign, handler in wanted.items()}
    yield
    for sign, handler in before.items():
        signal.signal(sign, handler)


class Watch:
    def __init__(self) -> None:
        self.ended: list[str] = []
        self.failed: list[str] = []
        self.most = 0

    def __call__(self, running, ended, failed) -> None:
        self.most = max(self.most, len(running))
        self.ended += [folder.job.name for folder in ended]
        self.failed += [failure.folder.job.name for failure in failed]


def test_runs_are_trained_scored_and_left_alone_afterwards(make):
    folders, watch = [make("A", 1), make("A", 2), make("B", 1)], Watch()
    pool = Pool([CPU, CPU], watch)
    pool.run(folders)
    assert sorted(watch.ended) == ["A seed 1", "A seed 2", "B seed 1"]
    assert watch.most == 2
    assert pool.failures == []
    for folder in folders:
        assert finished(folder)
        assert not (folder.path / "checkpoint_last.pt").exists()
        assert folder.state()["seconds"] > 0
        assert (folder.path / "places.txt").read_text() == "'' 1 True\n"
    again = Watch()
    Pool([CPU], again).run(folders)
    assert again.ended == []
    assert (folders[0].path / "places.txt").read_text().count("\n") == 1


def test_a_run_that_fails_is_told_and_ends_its_system_alone(make):
    folders = [make("A", 1, "fail"), make("B", 1), make("A", 2, "fail"), make("B", 2)]
    watch = Watch()
    pool = Pool([CPU], watch)
    pool.run(folders)
    assert watch.failed == ["A seed 1"]
    assert watch.ended == ["B seed 1", "B seed 2"]
    assert [failure.why for failure in pool.failures] == [
        "training ended with status 1: ValueError: that went wrong"
    ]
    assert not folders[2].path.exists()


def test_a_run_that_writes_no_checkpoint_has_failed(make):
    pool = Pool([CPU], Watch())
    pool.run([make(how="nothing")])
    assert pool.failures[0].why.startswith("training wrote no checkpoint_best.pt: nothing")


def test_a_killed_run_goes_on_when_it_is_run_again(make):
    folder = make(how="once")
    pool = Pool([CPU], Watch())
    pool.run([folder])
    assert pool.failures[0].why.startswith("training ended with signal SIGKILL: ")
    before = folder.state()["seconds"]
    assert not finished(folder)
    Pool([CPU], Watch()).run([folder])
    assert finished(folder)
    assert folder.state()["seconds"] > before


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_being_stopped_ends_what_runs(make, signals, sign):
    folder, watch = make(how="sleep"), Watch()
    pids = []

    def stop() -> None:
        lock = folder.path / "run.lock"
        while not (folder.path / "places.txt").exists() or not lock.read_text():
            time.sleep(0.02)
        pids.append(int((folder.path / "run.lock").read_text()))
        os.kill(os.getpid(), sign)

    thread = threading.Thread(target=stop)
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        Pool([CPU], watch).run([folder])
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    assert signal.getsignal(signal.SIGTERM) is before
    assert json.loads((folder.path / "run.json").read_text())["trained"] is False
    folder.lock().close()


def test_a_run_that_a_killed_comparison_left_behind_is_not_run_twice(make):
    folder = make(how="sleep")
    lock = folder.lock()
    process = folder.start(folder.job.train, CPU.environment, True, lock)
    lock.close()  # as our death would
    try:
        with pytest.raises(InputError) as error:
            Pool([CPU], Watch()).run([folder])
        assert str(error.value) == (
            f"{folder.path}: expected a run that nobody else is training; found one that process {process.pid} is "
            "training. Wait for it, or end that process."
        )
    finally:
        process.kill()
        process.wait()
    folder.lock().close()


def test_what_others_train_is_waited_for(make):
    others, own = make("A", 1, "slow"), make("B", 1, "slow")
    lock = others.lock()
    process = others.start(others.job.train, CPU.environment, True, lock)
    lock.close()
    watch = Watch()
    Pool([CPU], watch).run([others, own])
    process.wait()
    assert sorted(watch.ended) == ["A seed 1", "B seed 1"]


def test_of_several_rates_one_may_fail(make):
    folders = [make("A", 1, "fail"), make("A", 2)]
    for folder, rate in zip(folders, ("1e-1", "1e-3")):
        folder.job = replace(folder.job, rate=rate)
    pool = Pool([CPU], Watch())
    pool.run(folders)
    assert [finished(folder) for folder in folders] == [False, True]


def test_a_run_without_its_checkpoint_or_with_older_predictions_is_not_finished(make):
    folder = make()
    Pool([CPU], Watch()).run([folder])
    os.utime(folder.predictions, (1, 1))
    assert not finished(folder)
    assert folder.state()["trained"]
    (folder.path / "checkpoint_best.pt").unlink()
    assert not folder.state()["trained"]
    Pool([CPU], Watch()).run([folder])
    assert finished(folder)


def test_places():
    assert places("auto", 0, 0, [], 4) == [CPU] * 4
    assert places("cpu", 3, 2, ["0"], 4) == [Place("cpu", 2)] * 3
    assert places("auto", 0, 0, ["4", "GPU-ab"], 8) == [Place("4", 4), Place("GPU-ab", 4)]
    assert places("cuda:1", 2, 0, ["4", "GPU-ab"], 8) == [Place("GPU-ab", 4)] * 2
    assert CPU.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert Place("4", 2).environment == {
        "CUDA_VISIBLE_DEVICES": "4", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("device", "gpus", "there"),
    [
        ("cuda:2", ["0"], "cuda:0"),
        ("gpu", ["0"], "cuda:0"),
        ("cuda", [], "the GPUs, of which there are none"),
        ("cuda:0,", ["0"], "cuda:0"),
    ],
)
def test_a_device_that_is_not_there(device, gpus, there):
    with pytest.raises(InputError) as error:
        places(device, 0, 0, gpus, 4)
    assert str(error.value) == (
        f"--device {device}: expected auto, cpu, cuda, or some of {there}; found {device}. Leave the flag out."
    )
