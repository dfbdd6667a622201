"""What a killed server leaves is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from mmer_fairseq.serve import folder
from mmer_fairseq.serve.folder import LOCK, PREFIX, Folder, sweep
from mmer_fairseq.serve.server import listen, serve
from mmer_fairseq.serve.settings import Settings

CODE = """
import time
from mmer_fairseq.serve.folder import Folder
folder = Folder()
(folder.path / "upload.mp4").write_bytes(b"somebody's face")
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(temporary, name=f"{PREFIX}left", mode=0o700):
    """A folder as a killed server leaves it."""
    path = temporary / name
    path.mkdir()
    path.chmod(mode)
    (path / LOCK).touch()
    (path / "upload.mp4").touch()
    return path


def test_a_killed_server_is_cleaned_up_after(temporary):
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        path = temporary / os.path.basename(process.stdout.readline().strip())
        sweep()
        assert sorted(each.name for each in path.iterdir()) == [LOCK, "upload.mp4"]  # it lives
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        assert (path / "upload.mp4").exists()
        sweep()
        assert list(temporary.iterdir()) == []
    finally:
        process.kill()
        process.stdout.close()


def test_serving_begins_with_it(temporary, predictor, monkeypatch):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    left(temporary, mode=0o2700)  # where new folders take their group
    with listen("127.0.0.1", 0) as sock:
        serve(predictor, Settings(), sock, "127.0.0.1", (), "auto")
    assert list(temporary.iterdir()) == []


def test_a_living_server_keeps_its_folder(temporary):
    one, two = Folder(), Folder()
    sweep()
    assert {each.name for each in temporary.iterdir()} == {one.path.name, two.path.name}
    one.remove()
    one.remove()
    assert list(temporary.iterdir()) == [two.path]
    two.remove()


def test_what_is_not_ours_stays(temporary, monkeypatch):
    target = left(temporary, "precious")
    (temporary / f"{PREFIX}link").symlink_to(target)
    (temporary / f"{PREFIX}file").touch()
    os.mkfifo(temporary / f"{PREFIX}pipe")
    left(temporary, f"{PREFIX}open", 0o777)
    (left(temporary, f"{PREFIX}bare") / LOCK).unlink()
    left(temporary, "mmer-serve-00000000-other")  # of another machine
    linked = left(temporary, f"{PREFIX}linked") / LOCK
    linked.unlink()
    linked.symlink_to(target / LOCK)
    before = sorted(temporary.rglob("*"))
    sweep()
    assert sorted(temporary.rglob("*")) == before
    gone = left(temporary)
    user = os.geteuid()
    monkeypatch.setattr(folder.os, "geteuid", lambda: user + 1)
    sweep()
    assert (gone / "upload.mp4").exists()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    sweep()
    assert sorted(temporary.rglob("*")) == before


def test_without_locks_nothing_is_taken_for_left(temporary, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(folder.fcntl, "flock", refuse)
    one = Folder()
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    sweep()
    assert one.path.exists()
    one.remove()
    assert list(temporary.iterdir()) == []
