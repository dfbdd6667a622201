"""The command: its flags, its port, and its end."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from mmer_fairseq.cli.main import main
from mmer_fairseq.errors import InputError
from mmer_fairseq.serve.server import address, check_installed, listen, serve
from mmer_fairseq.serve.settings import Settings


def refused(capsys, *words):
    assert main(["serve", "--path", "none.pt", *words]) == 2
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-mb", "0"], "--max-mb: expected more than 0; found 0. Correct it."),
        (["--max-minutes", "nan"], "--max-minutes: expected more than 0; found nan. Correct it."),
        (["--timeout", "-1"], "--timeout: expected more than 0; found -1. Correct it."),
        (["--keep", "inf"], "--keep: expected more than 0; found inf. Correct it."),
        (["--parallel", "0"], "--parallel: expected 1 or more; found 0. Correct it."),
        (["--max-uploads", "0"], "--max-uploads: expected 1 or more; found 0. Correct it."),
        (["--port", "70000"], "--port: expected a number from 0 to 65535; found 70000. Write another one."),
        (
            ["--host", "203.0.113.7", "--port", "0"],
            "--host: expected an address of this machine; found '203.0.113.7'. Write 127.0.0.1 for this machine alone, "
            "or 0.0.0.0 for all its addresses.",
        ),
    ],
)
def test_flags(capsys, words, message):
    assert refused(capsys, *words) == f"error: {message}"


def test_a_detector_that_is_none(capsys):
    said = refused(capsys, "--faces", "nose")
    assert said.startswith("error: --faces: expected one of auto, none, mtcnn, haar, ")
    assert said.endswith("found 'nose'. Write one of them.")


def test_a_name_that_is_no_host():
    with pytest.raises(InputError) as error:
        listen("no such host", 0)
    assert str(error.value) == (
        "--host: expected an address or a name of this machine; found 'no such host'. "
        "Write 127.0.0.1 for this machine alone, or 0.0.0.0 for all its addresses."
    )


def test_a_port_that_is_taken(capsys):
    sock = listen("127.0.0.1", 0)
    port = sock.getsockname()[1]
    assert address(sock, "0.0.0.0") == f"http://127.0.0.1:{port}/"
    said = refused(capsys, "--port", str(port))
    sock.close()
    assert said == (
        f"error: --port: expected a free port; found {port}, which another program uses. "
        "Name another one, or --port 0 for any free one."
    )


def test_the_checkpoint_is_looked_at(capsys):
    assert "none.pt" in refused(capsys, "--port", "0")


def test_what_is_not_installed(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "starlette":
            raise ImportError("No module named 'starlette'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError) as error:
        check_installed()
    assert str(error.value) == (
        "mmer serve: expected the packages starlette and uvicorn; found No module named 'starlette'. "
        "Install them: pip install 'mmer_fairseq[serve]'."
    )


def test_importing_the_command_is_light():
    code = "import sys, mmer_fairseq.cli.serve; print([m for m in ('torch', 'starlette', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_others_may_come_in_only_with_a_warning(predictor, caplog, monkeypatch):
    import uvicorn

    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    old = signal.getsignal(signal.SIGTERM)
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        caplog.clear()
        sock = listen(host, 0)
        serve(predictor, Settings(), sock, host, (), "auto")
        sock.close()
        assert ("everybody who reaches this machine" in caplog.text) == warned
    signal.signal(signal.SIGTERM, old)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_no_file_stays_behind(small, films, tmp_path, how):
    program = Path(sys.executable).parent / "mmer"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [str(program), "serve", "--path", str(small), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(how, signal.SIG_DFL),  # jobs in the background ignore Ctrl+C
    )  # fmt: skip
    try:
        url = process.stdout.readline().split()[0]
        data = films("a.mp4", 12).read_bytes()
        end = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(
                    urllib.request.Request(f"{url}api/uploads?name=a.mp4", data)
                ) as answer:
                    assert answer.status == 200
                break
            except urllib.error.URLError:
                assert time.monotonic() < end
                time.sleep(0.1)
        (root,) = tmp_path.glob("mmer-serve-*")
        assert any(root.rglob("upload-*.mp4"))
        process.send_signal(how)
        process.wait(20)
    finally:
        process.kill()
        said = process.stderr.read()
        process.stdout.close()
        process.stderr.close()
    assert list(tmp_path.glob("mmer-serve-*")) == []
    assert process.returncode == (143 if how == signal.SIGTERM else 130), said
    assert "Traceback" not in said
