"""What is shown while systems are trained, and the table of all runs at the end."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmer_fairseq.compare.job import JobFolder
from mmer_fairseq.compare.plan import value_of
from mmer_fairseq.compare.pool import Failure, Running

#: Seconds between two readings of the logs.
READ = 2.0


class Progress:
    """A bar over the epochs of all runs (early stopping makes it jump), and a line for each run that ends.

    Args:
        folders: of all runs that this stage needs.
        done: those that are finished already.
        metric: that chooses the epoch.
    """

    def __init__(self, folders: Sequence[JobFolder], done: Sequence[JobFolder], metric: str) -> None:
        from tqdm import tqdm

        self.metric, self.read = metric, 0.0
        self.finished = len(done)
        self.total = len(folders)
        self.epochs = {folder.path: most_epochs(folder) for folder in folders}
        self.reached = {folder.path: self.epochs[folder.path] for folder in done}
        self.bar = tqdm(
            total=sum(self.epochs.values()),
            initial=sum(self.reached.values()),
            unit="epoch",
            disable=None,
            leave=False,
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.close()

    def __call__(self, running: list[Running], ended: list[JobFolder], failed: list[Failure]) -> None:
        """See ``Pool``: a run that failed is told at once, not after hours."""
        for failure in failed:
            self.bar.write(f"error: {failure.folder.job.name}: {failure.why}", file=sys.stderr)
            self.bar.write(f"  all it said is in {failure.folder.path}/output.txt", file=sys.stderr)
        for folder in ended:
            self.finished += 1
            self.reached[folder.path] = self.epochs[folder.path]
            epoch, value = best_epoch(folder, self.metric)
            took = spoken(folder.state()["seconds"])
            self.bar.write(
                f"{folder.job.name}: valid {self.metric} {value:.3f} in epoch {epoch}, {took} "
                f"({self.finished} of {self.total} runs)",
                file=sys.stderr,
            )
        if time.monotonic() - self.read < READ and not ended:
            return
        self.read = time.monotonic()
        now = []
        for run in running:
            history = run.folder.history()
            series = history.valid.get(self.metric, {}) if history is not None else {}
            epoch = max(series, default=0)
            self.reached[run.folder.path] = min(epoch, self.epochs[run.folder.path])
            score = f" {self.metric} {series[epoch]:.3f}" if series else ""
            now.append(f"{run.folder.job.name} epoch {epoch}{score}")
        if not self.bar.disable:
            self.bar.set_description_str(f"{self.finished}/{self.total} runs", refresh=False)
            self.bar.set_postfix_str("; ".join(now), refresh=False)
            self.bar.n = sum(self.reached.values())
            self.bar.refresh()


def most_epochs(folder: JobFolder) -> int:
    """Epochs that a run may take; 1: its end is counted in updates."""
    number = value_of("--max-epoch", folder.job.train) or ""
    return int(number) if number.isdecimal() and int(number) else 1


def best_epoch(folder: JobFolder, metric: str) -> tuple[int, float]:
    """Which epoch the checkpoint is of, and its metric on the validation split."""
    history = folder.history()
    series = history.valid.get(metric, {}) if history is not None else {}
    numbers = [(epoch, value) for epoch, value in series.items() if not math.isnan(value)]
    # of equal ones fairseq keeps the last
    return max(numbers, key=lambda pair: (pair[1], pair[0]), default=(0, math.nan))


def best_rates(folders: Sequence[JobFolder], metric: str) -> dict[str, str]:
    """System → the learning rate that is best on the validation split; of equal ones the first."""
    best: dict[str, tuple[float, str]] = {}
    for folder in folders:
        name, value = folder.job.system.name, best_epoch(folder, metric)[1]
        value = -math.inf if math.isnan(value) else value
        if name not in best or value > best[name][0]:
            best[name] = (value, folder.job.rate)
    return {name: rate for name, (_, rate) in best.items()}


def spoken(seconds: float) -> str:
    """``"2 h 05 min"``, ``"3 min 20 s"``, ``"12 s"``."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def write_runs(path: Path, folders: Sequence[JobFolder], metric: str) -> None:
    """Write the table of all finished runs: what each was, how long it took, which epoch was best."""
    rows = [["system", "arch", "lr", "seed", "epochs", "best_epoch", f"valid_{metric}", "seconds", "run"]]
    for folder in folders:
        epoch, value = best_epoch(folder, metric)
        history = folder.history()
        epochs = max(history.valid.get(metric, {}), default=0) if history is not None else 0
        job, rate = folder.job, value_of("--lr", folder.job.train) or ""
        numbers = [
            rate,
            str(job.seed),
            str(epochs),
            str(epoch),
            f"{value:.6g}",
            f"{folder.state()['seconds']:.1f}",
        ]
        rows.append([job.system.name, job.system.arch, *numbers, str(folder.path)])
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
