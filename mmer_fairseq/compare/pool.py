"""Runs on the devices that there are, a few at once; resumed, watched, and ended together."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from mmer_fairseq.compare.job import BEST, InUseError, JobFolder
from mmer_fairseq.errors import InputError

logger = logging.getLogger(__name__)

#: Seconds between two looks at the running trainings.
LOOK = 0.5
#: Seconds that a training is given to end by itself.
GRACE = 10.0


@dataclass(frozen=True)
class Place:
    """Where one run can be.

    Args:
        device: ``cpu``, or the number that CUDA_VISIBLE_DEVICES calls a GPU by.
        threads: of the run.
    """

    device: str
    threads: int

    @property
    def environment(self) -> dict[str, str]:
        """Of the run's processes."""
        threads = str(self.threads)
        chosen = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        return {**chosen, "CUDA_VISIBLE_DEVICES": "" if self.device == "cpu" else self.device}


@dataclass
class Running:
    """A run that is being trained or scored."""

    folder: JobFolder
    place: Place
    lock: IO[str]
    process: subprocess.Popen[bytes]
    state: dict[str, Any]
    began: float

    @property
    def stage(self) -> str:
        return "scoring" if self.state["trained"] else "training"


@dataclass(frozen=True)
class Failure:
    """A run that ended badly.

    Attributes:
        folder: of it.
        why: what it said.
    """

    folder: JobFolder
    why: str


Watch = Callable[[list[Running], list[JobFolder], list[Failure]], None]


class Pool:
    """Runs jobs until all are finished.

    Args:
        places: each takes one run at a time.
        watch: called after each look with what runs, what has just ended well, and what has just failed.
    """

    def __init__(self, places: Sequence[Place], watch: Watch) -> None:
        self.free = list(places)
        self.watch = watch
        self.running: list[Running] = []
        self.failures: list[Failure] = []

    def run(self, folders: Sequence[JobFolder]) -> None:
        """Run these; finished ones are left alone, begun ones go on.

        After a failure the other seeds of that system and rate are not started: they would fail likewise, hours later.

        Raises:
            InputError: a folder is of other flags, or in use.
            KeyboardInterrupt: stopped by the user or by SIGTERM; the runs have been ended and can be gone on with.
        """
        waiting = [folder for folder in folders if not finished(folder)]
        told = len(self.failures)
        with _stopping(self):
            while waiting or self.running:
                failed = {_alike(failure.folder) for failure in self.failures}
                waiting = [folder for folder in waiting if _alike(folder) not in failed]
                waiting = self._begin(waiting)
                time.sleep(LOOK)
                ended, known = list(self._ended()), len(self.failures)
                self.watch(self.running, ended, self.failures[told:])
                told = known

    def _begin(self, waiting: Sequence[JobFolder]) -> list[JobFolder]:
        """Start what there is room for; those that still wait.

        Raises:
            InUseError: others are training all that is left.
        """
        left, in_use = list(waiting), None
        for folder in waiting:
            if not self.free:
                break
            try:
                lock = folder.lock()
            except InUseError as error:
                in_use = error
                continue
            left.remove(folder)
            if finished(folder):  # by somebody else meanwhile
                lock.close()
                continue
            state = folder.state()
            folder.write(state)
            self._start(folder, self.free.pop(0), lock, state)
        if in_use is not None and not self.running:
            raise in_use
        return left

    def _start(self, folder: JobFolder, place: Place, lock: IO[str], state: dict[str, Any]) -> None:
        words = folder.evaluate_command() if state["trained"] else folder.job.train
        process = folder.start(words, place.environment, place.device == "cpu", lock)
        self.running.append(Running(folder, place, lock, process, state, time.monotonic()))

    def _ended(self) -> Iterator[JobFolder]:
        for run in list(self.running):
            code = run.process.poll()
            if code is None:
                continue
            self.running.remove(run)
            if not run.state["trained"]:
                run.state["seconds"] += round(time.monotonic() - run.began, 3)
            why = self._fault(run, code)
            if why:
                run.folder.write(run.state)
                self.failures.append(Failure(run.folder, why))
            elif not run.state["trained"]:
                run.state["trained"] = True
                run.folder.write(run.state)
                self._start(run.folder, run.place, run.lock, run.state)
                continue
            else:
                run.folder.drop_last()
                yield run.folder
            run.lock.close()
            self.free.append(run.place)

    @staticmethod
    def _fault(run: Running, code: int) -> str:
        if code:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
            return f"{run.stage} ended with {how}: {run.folder.last_words()}"
        wanted = run.folder.predictions if run.state["trained"] else run.folder.path / BEST
        return "" if wanted.exists() else f"{run.stage} wrote no {wanted.name}: {run.folder.last_words()}"

    def stop(self) -> None:
        """End all runs: each goes on from its last epoch when the same command is given again."""
        for sign, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            for run in self.running:
                with suppress(ProcessLookupError):
                    os.killpg(run.process.pid, sign)
            until = time.monotonic() + seconds
            for run in self.running:
                with suppress(subprocess.TimeoutExpired):
                    run.process.wait(max(0.0, until - time.monotonic()))
        for run in self.running:
            if not run.state["trained"]:
                run.state["seconds"] += round(time.monotonic() - run.began, 3)
                run.folder.write(run.state)
            run.lock.close()
        self.running.clear()


def finished(folder: JobFolder) -> bool:
    """Whether a run is trained and scored.

    Raises:
        InputError: it was made with other flags.
    """
    if not folder.state()["trained"] or not folder.predictions.exists():
        return False
    return folder.predictions.stat().st_mtime >= (folder.path / BEST).stat().st_mtime


def _alike(folder: JobFolder) -> tuple[str, str]:
    return folder.job.system.name, folder.job.rate


@contextmanager
def _stopping(pool: Pool) -> Iterator[None]:
    """End the runs if we end; SIGTERM, and a terminal that closes, are taken as Ctrl-C is."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signs = [signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signs.append(signal.SIGHUP)
    before = {sign: signal.signal(sign, interrupt) for sign in signs}
    try:
        yield
    finally:
        try:
            pool.stop()
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)


def places(device: str, jobs: int, threads: int, gpus: Sequence[str], cores: int) -> list[Place]:
    """Where runs can be.

    Args:
        device: auto, cpu, cuda (all GPUs), or cuda:0,cuda:2.
        jobs: runs at once on each GPU, or on the CPU; 0: one a GPU, one a core.
        threads: of each run; 0: one on the CPU, so that results do not depend on the number of cores, and an even
            share of them on GPUs.
        gpus: what CUDA_VISIBLE_DEVICES calls those that there are.
        cores: of the machine.

    Raises:
        InputError: there is no such device.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return [Place("cpu", threads or 1)] * (jobs or cores)
    wanted = list(range(len(gpus)))
    if device not in ("auto", "cuda"):
        numbers = [part.strip().removeprefix("cuda:") for part in device.split(",")]
        wanted = [int(number) if number.isdecimal() else -1 for number in numbers]
    if not wanted or any(not 0 <= number < len(gpus) for number in wanted):
        there = ", ".join(f"cuda:{number}" for number in range(len(gpus)))
        raise InputError.of(
            where=f"--device {device}",
            expected="auto, cpu, cuda, or some of " + (there or "the GPUs, of which there are none"),
            found=device,
            remedy="leave the flag out",
        )
    every = [gpus[number] for number in wanted] * (jobs or 1)
    return [Place(gpu, threads or max(1, cores // len(every))) for gpu in every]
