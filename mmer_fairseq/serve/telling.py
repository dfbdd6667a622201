"""A prediction told while it is made."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from mmer_fairseq.serve.work import Run, Work

#: Seconds between signs of life.
_BEAT = 1.0


class Telling(StreamingResponse):
    """Events of a run as they come, a JSON object a line; whoever goes away stops the run."""

    def __init__(self, work: Work, run: Run) -> None:
        self.work, self.run, self.news = work, run, asyncio.Event()
        super().__init__(self._lines(), media_type="application/x-ndjson")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()

        def told() -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(self.news.set)

        self.run.listen(self, told)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.run.leave(self)

    async def _lines(self) -> AsyncIterator[bytes]:
        told, place = 0, -1
        yield _line({"type": "run", "run": self.run.id})
        while True:
            self.news.clear()
            ended, events = self.run.ended, self.run.events[told:]
            for event in events:
                yield _line(event)
            told += len(events)
            if ended:
                return
            now = self.work.place(self.run)
            if now != place:
                place = now
                yield _line({"type": "queue", "before": now})
            elif not events:
                yield _line({"type": "beat"})  # fails if nobody is there
            self.run.upload.touch()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.news.wait(), _BEAT)


def _line(event: Any) -> bytes:
    return (json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode()
