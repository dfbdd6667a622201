"""Predictions wait in a queue and are made in threads of their own; whoever listens gets their events."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.stopping import StoppedError, check, stoppable
from mmer_fairseq.serve.model import Event, Wish, predict
from mmer_fairseq.serve.uploads import Upload

if TYPE_CHECKING:
    from mmer_fairseq.predict import Predictor

logger = logging.getLogger(__name__)


class Run:
    """One prediction of one upload.

    Attributes:
        id: of it, for downloads.
        folder: of its tables.
        events: so far; the last says how it ended.
        ended: nothing follows.
        whole: it ended well, its tables are complete.
    """

    def __init__(self, upload: Upload, wish: Wish) -> None:
        self.upload, self.wish = upload, wish
        self.id = secrets.token_urlsafe(12)
        self.folder = Path(tempfile.mkdtemp(prefix="r", dir=upload.folder))
        self.events: list[Event] = []
        self.ended = self.whole = self.cancelled = False
        self.recording: Any = None
        self.bars: list[Any] = []
        self._too_long = False
        self._told: dict[object, Callable[[], None]] = {}

    def listen(self, key: object, told: Callable[[], None]) -> None:
        """Call ``told`` from any thread after each event."""
        self._told[key] = told

    def leave(self, key: object) -> None:
        """Stop listening; a run that nobody listens to is stopped."""
        self._told.pop(key, None)
        if not self._told and not self.ended:
            self.cancel()

    def cancel(self) -> None:
        """Stop soon, in the midst of a segment too."""
        self.cancelled = True

    def tell(self, event: Event) -> None:
        """Add an event."""
        self.events.append(event)
        self.ended = self.ended or event["type"] in ("done", "error", "stopped")
        self.whole = event["type"] == "done"
        for told in list(self._told.values()):
            told()

    def clear(self) -> None:
        """Remove the tables of a run that did not end well: nobody can ask for them."""
        if not self.whole:
            shutil.rmtree(self.folder, ignore_errors=True)

    def picture(self, timeout: float) -> Path:
        """The timeline as PNG, drawn when first asked for; to be called by one thread at a time.

        Args:
            timeout: seconds; drawing ends, too, when the upload goes. What has taken too long is not tried again.

        Raises:
            InputError: there is nothing to draw, or it takes too long.
        """
        from mmer_fairseq.plots import canvas
        from mmer_fairseq.predict.picture import draw

        file = self.folder / "timeline.png"
        until = time.monotonic() + timeout
        with self.upload:
            if not self.bars:
                raise InputError.of(
                    where=self.upload.name,
                    expected="a segment to draw",
                    found="none",
                    remedy="give another file",
                )
            try:
                with stoppable(lambda: self._too_long or self.upload.gone or time.monotonic() > until):
                    if not file.exists():
                        check()
                        self._check_kept()
                        canvas.save(draw(self.recording, self.bars, self.upload.name), file)
                        self._check_kept()
            except StoppedError as error:
                self._check_kept()
                self._too_long = True
                raise InputError.of(
                    where=self.upload.name,
                    expected=f"a picture that is drawn in {timeout:g} seconds, as a prediction is (--timeout)",
                    found="one that takes longer",
                    remedy="take one of the tables",
                ) from error
        return file

    def _check_kept(self) -> None:
        if self.upload.gone or self not in self.upload.runs.values():
            shutil.rmtree(self.folder, ignore_errors=True)  # saving may have made it anew
            raise InputError.of(
                where=self.upload.name,
                expected="a result that the server still holds",
                found="one that was removed",
                remedy="predict again",
            )


class Work:
    """The queue and its threads.

    Args:
        predictor: that all share.
        threads: predictions at once.
        timeout: seconds of one.
        faces: as ``--faces``.
    """

    def __init__(self, predictor: Predictor, threads: int, timeout: float, faces: str) -> None:
        self.predictor, self.timeout, self.faces = predictor, timeout, faces
        self._waiting: list[Run] = []
        self._active: list[Run] = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"prediction-{k}", daemon=True) for k in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def add(self, run: Run) -> None:
        """Queue a run."""
        with self._changed:
            dropped = [each for each in self._waiting if each.cancelled]
            self._waiting = [each for each in self._waiting if not each.cancelled] + [run]
            self._changed.notify()
        for each in dropped:
            each.tell({"type": "stopped", "message": ""})
            each.clear()

    def place(self, run: Run) -> int:
        """How many are before it, those at work among them; 0: it is being made, or has ended."""
        with self._changed:
            waiting = [each for each in self._waiting if not each.cancelled]
            return waiting.index(run) + len(self._active) if run in waiting else 0

    @property
    def idle(self) -> bool:
        """Nothing is being made and nothing waits."""
        with self._changed:
            return not self._active and not self._waiting

    def close(self, seconds: float = 5.0) -> None:
        """Stop all; waits some seconds for what a model is at."""
        with self._changed:
            self._closed = True
            for run in (*self._waiting, *self._active):
                run.cancel()
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                run = self._waiting.pop(0)
                self._active.append(run)
            try:
                with run.upload:
                    self._make(run)
                    run.clear()
            finally:
                with self._changed:
                    self._active.remove(run)

    def _make(self, run: Run) -> None:
        until = time.monotonic() + self.timeout

        def stopped() -> bool:
            return run.cancelled or time.monotonic() > until

        try:
            with stoppable(stopped):
                check()
                for event, drawn in predict(self.predictor, run.upload, run.wish, run.folder, self.faces):
                    if event["type"] == "start":
                        run.recording = drawn
                    elif drawn is not None:
                        run.bars.append(drawn)
                    run.tell(event)
                    if not run.ended:
                        check()
        except StoppedError:
            late = f"Stopped after {self.timeout:g} seconds, the limit of one prediction (--timeout)."
            run.tell({"type": "stopped", "message": "" if run.cancelled else late})
        except InputError as error:
            run.tell({"type": "error", "message": run.upload.plainly(str(error))})
        except Exception:
            if not run.upload.gone:
                logger.exception("a prediction failed")
            run.tell({"type": "error", "message": "Something went wrong; the server's console says what."})
