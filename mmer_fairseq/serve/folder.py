"""The temporary folder of a server, and those that servers left behind which were killed."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

#: With the machine: locks of a disk that several share may hold on one alone.
PREFIX = f"mmer-serve-{hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]}-"
#: A living server holds this file of its folder locked; the system unlocks it when the process ends, however it ends.
LOCK = "lock"


class Folder:
    """A folder that its owner alone can read, and that later servers remove if this one cannot.

    Attributes:
        path: of it.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.path / "unlocked", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(self.path / "unlocked", self.path / LOCK)  # nobody finds it before it is locked
        except OSError:  # a file system without locks: nobody will take the folder for left
            logger.debug("no lock in %s", self.path)

    def remove(self) -> None:
        """Remove the folder; may be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep() -> None:
    """Remove the folders of this user's servers that are no longer alive.

    Only what is in the temporary folder, has the name, with that of this machine, is a folder of this user that nobody
    else may enter, and holds a lock file, this user's too, that no process has locked. Nobody else can make
    such a folder.
    """
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            _remove_left(path)
        except OSError as error:
            logger.debug("%s stays: %s", path, error)


def _remove_left(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        about = os.fstat(folder)
        if about.st_uid != os.geteuid() or about.st_mode & 0o077:
            return
        lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            held = os.fstat(lock)
            if not stat.S_ISREG(held.st_mode) or held.st_uid != os.geteuid():
                return
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its server lives
            if os.path.samestat(os.lstat(path), about):
                shutil.rmtree(path, ignore_errors=True)
                logger.info("removed %s, which a server that was killed had left", path)
        finally:
            os.close(lock)
    finally:
        os.close(folder)
