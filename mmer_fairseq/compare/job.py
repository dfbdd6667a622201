"""The folder of one run: what it was started with, whether it is finished, and who is writing in it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mmer_fairseq.compare.plan import Job
from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.history import History, read_history
from mmer_fairseq.reporting import commands

STATE, LOCK, OUTPUT = "run.json", "run.lock", "output.txt"
BEST, LAST = "checkpoint_best.pt", "checkpoint_last.pt"


class InUseError(InputError):
    """Another process is training in the folder."""


class JobFolder:
    """One run on the disk.

    Args:
        job: which.
        split: whose predictions are written when it is trained.
        data: corpus folder.
    """

    def __init__(self, job: Job, split: str, data: str) -> None:
        self.job, self.split, self.data = job, split, data
        self.path = job.folder

    @property
    def predictions(self) -> Path:
        """Of the best checkpoint on the split."""
        return self.path / f"{self.split}.tsv"

    def state(self) -> dict[str, Any]:
        """What is known of the run: ``command``, ``seconds`` of training, ``trained``.

        Raises:
            InputError: the file is broken, or the run was started with another command.
        """
        file = self.path / STATE
        new = {"command": list(self.job.train), "seconds": 0.0, "trained": False}
        if not file.exists():
            return new
        try:
            state = json.loads(file.read_text(encoding="utf-8"))
            command = list(state["command"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError.of(
                where=file,
                expected="what mmer compare writes of a run",
                found=f"{type(error).__name__}: {error}",
                remedy=f"remove {self.path} to run it again",
            ) from error
        if command != list(self.job.train):
            if not any((self.path / name).exists() for name in (BEST, LAST)):
                return new  # it failed before its first epoch ended: there is nothing to go on with
            raise InputError.of(
                where=self.path,
                expected="a run with the same flags, to go on with",
                found=f"one with other flags: {_differences(command, self.job.train)}",
                remedy="give the flags of the first time, another --out, or remove the folder",
            )
        # without its checkpoint a run has to be made again
        return {**state, "trained": bool(state["trained"]) and (self.path / BEST).exists()}

    def write(self, state: Mapping[str, Any]) -> None:
        """Keep what is known, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        new = self.path / (STATE + ".new")
        new.write_text(json.dumps(state, indent=1), encoding="utf-8")
        new.replace(self.path / STATE)

    def lock(self) -> IO[str]:
        """Take the folder: a training that a killed comparison left behind may still write in it.

        Raises:
            InUseError: it does.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        handle = open(self.path / LOCK, "a+", encoding="utf-8")  # noqa: SIM115  kept open while the run lasts
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip()
            handle.close()
            raise InUseError.of(
                where=self.path,
                expected="a run that nobody else is training",
                found=f"one that process {owner or '(unknown)'} is training",
                remedy="wait for it, or end that process",
            ) from error
        return handle

    def evaluate_command(self) -> list[str]:
        """Scores the best checkpoint."""
        words = commands.validate(self.path / BEST, self.split, self.data, self.predictions)
        return [*words, "--no-progress-bar"]

    def start(
        self, words: Sequence[str], environment: Mapping[str, str], cpu: bool, lock: IO[str]
    ) -> subprocess.Popen[bytes]:
        """Start a command of fairseq; what it says goes to a file of the folder.

        It holds the lock as long as it lives, even if we do not.
        """
        words = commands.startable(words)
        with open(self.path / OUTPUT, "ab") as output:
            output.write(f"$ {shlex.join(words)}\n".encode())
            output.flush()
            process = subprocess.Popen(
                [*words, *(["--cpu"] if cpu else [])],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C is ours to pass on
                pass_fds=(lock.fileno(),),
            )
        lock.seek(0)
        lock.truncate()
        lock.write(str(process.pid))
        lock.flush()
        return process

    def last_words(self, lines: int = 4) -> str:
        """The end of what the last command said: its message, if it failed."""
        with suppress(OSError):
            text = (self.path / OUTPUT).read_text(encoding="utf-8", errors="replace")
            said = [line.strip() for line in text.splitlines() if line.strip()]
            begun = max((place for place, line in enumerate(said) if line.startswith("$ ")), default=-1)
            said = said[begun + 1 :]
            faults = [line for line in said if "Error" in line or "error: " in line]
            return "; ".join(faults[-1:] or said[-lines:])[:600] or "nothing"
        return "nothing"

    def history(self) -> History | None:
        """The log so far; None: no epoch has ended."""
        try:
            return read_history(self.path / "train.log", strict=False)
        except InputError:
            return None

    def drop_last(self) -> None:
        """A finished run needs no optimizer: its best checkpoint is enough."""
        with suppress(FileNotFoundError):
            (self.path / LAST).unlink()


def _differences(before: Sequence[str], now: Sequence[str]) -> str:
    """Flags that changed, in words."""
    a, b = _flags(before), _flags(now)
    changed = [
        f"{flag} {a.get(flag, '(not given)')}, now {b.get(flag, '(not given)')}"
        for flag in sorted({*a, *b})
        if a.get(flag) != b.get(flag)
    ]
    return "; ".join(changed) or f"{shlex.join(before)}, now {shlex.join(now)}"


def _flags(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    flag = ""
    for word in words:
        if word.startswith("--"):
            flag, _, value = word.partition("=")
            found[flag] = value
        else:
            found[flag] = f"{found.get(flag, '')} {word}".strip()
    return found
