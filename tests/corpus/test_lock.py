"""Tests of :mod:`mmer_fairseq.corpus.lock`."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mmer_fairseq.corpus import lock
from mmer_fairseq.corpus.lock import locked
from mmer_fairseq.errors import InputError

#: Takes the lock in a process of its own, says so, and keeps it.
HOLDER = """
import sys, time
from pathlib import Path
from mmer_fairseq.corpus.lock import locked
with locked(Path(sys.argv[1]), other="extraction", instead="name another folder"):
    print("taken", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taken\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_folder_is_made_and_free_again_afterwards(tmp_path):
    for _ in range(2):
        with locked(tmp_path / "deep" / "store", other="extraction", instead="go"):
            assert (tmp_path / "deep" / "store" / ".lock").exists()


def test_another_process_is_kept_out(tmp_path, monkeypatch, holder):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with (
        pytest.raises(InputError) as caught,
        locked(tmp_path / "store", other="extraction", instead="name another folder"),
    ):
        pytest.fail("the lock was taken twice")
    assert str(caught.value) == (
        f"{tmp_path / 'store'}: expected no other extraction; found one that is running. "
        "Wait for it, or name another folder."
    )


def test_the_lock_goes_with_a_killed_process(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "store", other="extraction", instead="go"):
        pass


def test_a_run_that_ends_soon_is_waited_for(tmp_path, holder):
    threading.Timer(0.3, holder.kill).start()
    started = time.monotonic()
    with locked(tmp_path / "store", other="extraction", instead="go"):
        assert time.monotonic() - started > 0.2


def test_disks_without_locks_are_worked_on(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("mmer_fairseq.corpus.lock.fcntl.flock", refuse)
    with locked(tmp_path / "store", other="extraction", instead="go"):
        assert (tmp_path / "store").is_dir()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(InputError) as caught, locked(tmp_path / "store", other="x", instead="y"):
        pytest.fail("a file cannot be locked as a folder")
    assert str(caught.value) == (
        f"{tmp_path / 'store'}: expected room on the disk and permission to write; found File exists. "
        "Mend it and run the same command again."
    )
