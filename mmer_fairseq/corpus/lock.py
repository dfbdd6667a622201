"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mmer_fairseq.corpus.write import writing
from mmer_fairseq.errors import InputError

#: Seconds to wait for the lock: the workers of a run that was killed hold it until they notice.
PATIENCE = 5.0


@contextlib.contextmanager
def locked(folder: Path, *, other: str, instead: str) -> Iterator[None]:
    """Make a folder, and keep other runs out of it; the lock goes with its process, however that ends.

    Args:
        folder: holds the lock as ``.lock``.
        other: what the message calls a run, as in "no other extraction".
        instead: what can be done but wait.

    Raises:
        InputError: another run is in it, or the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - closed below, and by the end of the process
    with lock:
        deadline = time.monotonic() + PATIENCE
        while not _taken(lock):
            if time.monotonic() > deadline:
                raise InputError.of(
                    where=folder,
                    expected=f"no other {other}",
                    found="one that is running",
                    remedy=f"wait for it, or {instead}",
                )
            time.sleep(0.05)
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # some network disks know no locks: better without than not at all
    return True
