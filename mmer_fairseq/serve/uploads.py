"""Files that the server holds, each in a folder of its own under one temporary folder, found by an unguessable id."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from mmer_fairseq.predict.files import Found
from mmer_fairseq.serve.folder import Folder
from mmer_fairseq.serve.safety import scrub, shown_name

if TYPE_CHECKING:
    from mmer_fairseq.serve.model import Wish
    from mmer_fairseq.serve.work import Run

#: Results kept of one upload, those asked for last. The page remembers fewer (KEPT in app.js), and asks again.
RUNS = 8


class FullError(Exception):
    """No more uploads are taken."""


class Upload:
    """One user's file.

    Attributes:
        id: that only its owner knows.
        name: as the owner calls it.
        path: where it lies.
        found: what is in it; None: it has not arrived whole.
        words: subtitles beside it; None: none.
        runs: what was asked → its predictions.
    """

    def __init__(self, root: Path, name: str, suffix: str) -> None:
        self.id = secrets.token_urlsafe(24)
        self.folder = Path(tempfile.mkdtemp(prefix="u", dir=root))
        self.name = shown_name(name)
        # a name that no message holds by chance
        self.path = self.folder / f"upload-{secrets.token_hex(4)}{suffix}"
        self.found: Found | None = None
        self.words: Path | None = None
        self.words_name = ""
        self.runs: OrderedDict[Wish, Run] = OrderedDict()
        self.used = time.monotonic()
        self.gone = False
        self._busy = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Upload:
        """Its folder stays while somebody works in it."""
        with self._lock:
            self._busy += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.used = time.monotonic()
        with self._lock:
            self._busy -= 1
            last = self.gone and not self._busy
        if last:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def busy(self) -> bool:
        return self._busy > 0

    def keep(self, key: Wish, run: Run) -> None:
        """Remember a run as the last that was asked for; the first ended ones make way."""
        self.runs[key] = run
        self.runs.move_to_end(key)
        for old in [k for k, r in self.runs.items() if r.ended][: max(0, len(self.runs) - RUNS)]:
            shutil.rmtree(self.runs.pop(old).folder, ignore_errors=True)

    def touch(self) -> None:
        """Somebody still uses it."""
        self.used = time.monotonic()

    def put_words(self, file: Path, name: str) -> None:
        """Take subtitles instead of earlier ones, and forget what was predicted with those; an empty file: none."""
        if self.words is not None:
            self.words.unlink(missing_ok=True)
        self.words, self.words_name = (file, name) if file.stat().st_size else (None, "")
        for run in self.runs.values():
            run.cancel()
            if run.ended:
                shutil.rmtree(run.folder, ignore_errors=True)
        self.runs.clear()

    def plainly(self, text: str) -> str:
        """A message in the owner's words."""
        names = {str(self.path): self.name}
        if self.words is not None:
            names[str(self.words)] = self.words_name
        return scrub(text, names).replace(self.path.name, self.name)

    def discard(self) -> None:
        """Stop what runs; remove the folder, now or once nobody works in it."""
        for run in list(self.runs.values()):
            run.cancel()
        with self._lock:
            self.gone = True
            idle = not self._busy
        if idle:
            shutil.rmtree(self.folder, ignore_errors=True)


class Uploads:
    """The table of uploads.

    Args:
        most: held at once.
        keep: seconds that one stays after its last use.
    """

    def __init__(self, most: int, keep: float) -> None:
        self._folder = Folder()
        self.root = self._folder.path
        self.most, self.keep = most, keep
        self._table: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._table)

    def add(self, name: str, suffix: str) -> Upload:
        """A place for a file.

        Raises:
            FullError: there is none.
        """
        self.expire()
        with self._lock:
            if len(self._table) >= self.most:
                raise FullError
            upload = Upload(self.root, name, suffix)
            self._table[upload.id] = upload
        return upload

    def get(self, id: str) -> Upload | None:
        """An upload that is still held; asking for it is a use."""
        with self._lock:
            upload = self._table.get(id)
        if upload is None or self._stale(upload):
            self.expire()
            return None
        upload.used = time.monotonic()
        return upload

    def remove(self, id: str) -> None:
        """Forget an upload, if it is known."""
        with self._lock:
            upload = self._table.pop(id, None)
        if upload is not None:
            upload.discard()

    def expire(self) -> None:
        """Forget those that nobody has used for long."""
        with self._lock:
            old = [id for id, upload in self._table.items() if self._stale(upload)]
        for id in old:
            self.remove(id)

    def close(self) -> None:
        """Forget all, and remove the folder."""
        with self._lock:
            known = list(self._table)
        for id in known:
            self.remove(id)
        self._folder.remove()

    def _stale(self, upload: Upload) -> bool:
        return not upload.busy and time.monotonic() - upload.used > self.keep
