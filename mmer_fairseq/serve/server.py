"""Port, start and end of the server."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.serve.settings import Settings

if TYPE_CHECKING:
    from mmer_fairseq.predict import Predictor

logger = logging.getLogger(__name__)


def check_installed() -> None:
    """Say at once, not after a model is loaded, what is not installed.

    Raises:
        InputError: starlette or uvicorn is missing.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError.of(
            where="mmer serve",
            expected="the packages starlette and uvicorn",
            found=str(error),
            remedy="install them: pip install 'mmer_fairseq[serve]'",
        ) from error


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: any free one.

    Raises:
        InputError: the port is taken or not allowed, or the machine has no such address.
    """
    if not 0 <= port <= 65535:
        raise InputError.of(
            where="--port", expected="a number from 0 to 65535", found=port, remedy="write another one"
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise InputError.of(
            where="--host",
            expected="an address or a name of this machine",
            found=repr(host),
            remedy="write 127.0.0.1 for this machine alone, or 0.0.0.0 for all its addresses",
        ) from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError.of(
                where="--host",
                expected="an address of this machine",
                found=repr(host),
                remedy="write 127.0.0.1 for this machine alone, or 0.0.0.0 for all its addresses",
            ) from error
        taken = error.errno == errno.EADDRINUSE
        raise InputError.of(
            where="--port",
            expected="a free port",
            found=f"{port}, which another program uses" if taken else f"{port}: '{error.strerror}'",
            remedy="name another one, or --port 0 for any free one",
        ) from error
    return sock


def address(sock: socket.socket, host: str) -> str:
    """What to type into a browser."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{sock.getsockname()[1]}/"


def build_server(
    predictor: Predictor,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    names: Iterable[str] = (),
    faces: str = "auto",
) -> Any:
    """A ``uvicorn.Server`` whose ``pages`` are those of :class:`mmer_fairseq.serve.app.Pages`."""
    import uvicorn

    from mmer_fairseq.serve.app import build

    app = build(predictor, settings, faces=faces, host=host, names=names)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # ids are secrets
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=32768,
        lifespan="on",
        ws="none",
    )
    server: Any = uvicorn.Server(config)
    server.pages = app.state.pages
    return server


def serve(
    predictor: Predictor, settings: Settings, sock: socket.socket, host: str, names: Iterable[str], faces: str
) -> None:
    """Serve until the process is told to stop; no file stays behind."""
    from mmer_fairseq.serve.folder import sweep
    from mmer_fairseq.serve.guard import is_loopback

    sweep()
    if not is_loopback(host):
        logger.warning(
            "everybody who reaches this machine over the network can use this page; there is no password and no "
            "encryption, and browsers record camera and microphone only on pages of their own machine or https"
        )
    server = build_server(predictor, settings, host=host, names=names, faces=faces)
    if threading.current_thread() is threading.main_thread():
        # uvicorn sends the signal again when it is done, and the folder must be gone before the process is
        for sign in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(sign) is not signal.SIG_IGN:  # nohup
                signal.signal(sign, lambda number, _: sys.exit(128 + number))
    try:
        print(f"{address(sock, host)}   (Ctrl+C stops)", flush=True)
        server.run(sockets=[sock])
    finally:
        server.pages.close()
