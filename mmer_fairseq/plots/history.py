"""The log of a training run → its numbers by epoch."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.metrics.base import LOWER_IS_BETTER

# As --log-file writes it, or as a terminal shows it: "2026-01-31 12:00:00 | INFO | train | {…}".
_JSON = re.compile(r'(?:.* \| INFO \| \S+ \| )?(\{".*)')
_FIRST_CHOICES = ("weighted_f1", "f1", "ccc", "acc7", "accuracy", "uar", "mae")
_REMEDY = "train with --log-format json --log-file FILE and give that file"

Series = dict[int, float]


@dataclass
class History:
    """What a run logged at the end of its epochs.

    Args:
        train: name → epoch → value on the training split.
        valid: name → epoch → value on the validation split.
    """

    train: dict[str, Series] = field(default_factory=dict)
    valid: dict[str, Series] = field(default_factory=dict)

    def main_metric(self) -> str | None:
        """The metric to show: that of the best checkpoint, or a telling one; None: only a loss."""
        best = [name[len("best_") :] for name in self.valid if name.startswith("best_")]
        for name in (*best, *_FIRST_CHOICES):
            if name != "loss" and name in self.valid:
                return name
        return None


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of this metric is the better one."""
    return metric.endswith("loss") or metric.split("_")[0] in LOWER_IS_BETTER


def read_history(path: str | Path, *, strict: bool = True) -> History:
    """Read the log that ``fairseq-train --log-format json --log-file FILE`` writes.

    Other lines may stand between the JSON ones. A line may come twice (fairseq opens the file once more with
    each epoch), and an epoch too (a resumed run): the last one counts. A last line without its end is left
    out: the run is still writing it.

    Args:
        path: of the log.
        strict: refuse broken lines; else they are passed over, as of a run that was killed while it wrote.

    Raises:
        InputError: the file cannot be read, a JSON line is broken, or no epoch has ended.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError.of(
            where=path, expected="a readable log in UTF-8", found=_short(str(error)), remedy=_REMEDY
        ) from error
    history = History()
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        found = _JSON.match(line.strip())
        if found:
            try:
                _add(history, found.group(1), f"{path}:{number}")
            except InputError:
                if strict:
                    raise
    if not history.train and not history.valid:
        raise InputError.of(
            where=path,
            expected='a JSON line such as {"epoch": 1, "train_loss": "0.69", …} for each ended epoch',
            found="none",
            remedy=_REMEDY,
        )
    return history


def _add(history: History, line: str, where: str) -> None:
    try:
        stats: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError.of(
            where=where,
            expected="one JSON object",
            found=f"{_short(line)!r} ({error.msg} at character {error.colno})",
            remedy="delete that line if a killed run left half of it",
        ) from error
    for split, series in (("train_", history.train), ("valid_", history.valid)):
        for key, value in stats.items():
            if not key.startswith(split):
                continue
            epoch = stats.get("epoch")
            if not isinstance(epoch, int):
                raise InputError.of(
                    where=where, expected='a whole number under "epoch"', found=repr(epoch), remedy=_REMEDY
                )
            try:
                series.setdefault(key[len(split) :], {})[epoch] = float(value)
            except (TypeError, ValueError):
                continue  # fairseq logs what a meter gives: not every one is a number


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"
