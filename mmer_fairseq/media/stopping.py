"""Long work that somebody may stop: whatever decodes asks, block by block, whether it is still wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Optional

_STOPPED: ContextVar[Optional[Callable[[], bool]]] = ContextVar("stopped", default=None)


class StoppedError(Exception):
    """Nobody wants the work any more, or its time is over. No InputError: those are passed over and noted."""


@contextmanager
def stoppable(stopped: Callable[[], bool]) -> Iterator[None]:
    """Within the block, and in the same thread, :func:`check` ends the work once ``stopped()`` says so.

    Args:
        stopped: asked very often, so cheap.
    """
    token = _STOPPED.set(stopped)
    try:
        yield
    finally:
        _STOPPED.reset(token)


def check() -> None:
    """To be called between blocks, packets, segments.

    Raises:
        StoppedError: the work shall end. Never outside :func:`stoppable`.
    """
    stopped = _STOPPED.get()
    if stopped is not None and stopped():
        raise StoppedError
