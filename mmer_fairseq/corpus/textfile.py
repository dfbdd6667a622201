"""Text files as users save them: UTF-8, with or without a byte order mark, lines ending in LF or CRLF."""

from __future__ import annotations

import os
from pathlib import Path

from mmer_fairseq.corpus.faults import Fault
from mmer_fairseq.errors import InputError


def read_utf8(path: str | Path, what: str, fault: Fault, where: str | None = None) -> str | None:
    """Read a text file.

    Args:
        path: the file.
        what: what it is, for messages ("a trace file").
        fault: told about a file that is missing, is a folder, cannot be read, is empty or is no UTF-8 text.
        where: ``path:line`` of the corpus row that names the file (default: the file itself).

    Returns:
        Its text with ``\\n`` line ends and no byte order mark; None when there was a fault.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        fault(unreadable(path, what, error, where))
        return None
    if not content.strip(b"\xef\xbb\xbf \t\r\n"):
        fault(
            InputError.of(
                where=where or path,
                expected=what,
                found=f"an empty file: {path}" if where else "an empty file",
                remedy="write its content or name another file",
            )
        )
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault(
            InputError.of(
                where=f"{path}:{line}",
                expected="text in UTF-8",
                found=f"byte 0x{content[error.start]:02x} at position {error.start}",
                remedy="save the file as UTF-8",
            )
        )
        return None
    if "\x00" in text:
        fault(
            InputError.of(
                where=f"{path}:{text.count(chr(10), 0, text.index(chr(0))) + 1}",
                expected="text",
                found="a NUL character",
                remedy="save the file as UTF-8 text",
            )
        )
        return None
    return text.replace("\r\n", "\n")


def unreadable(path: str | Path, what: str, error: OSError, where: str | None = None) -> InputError:
    """The fault that a file cannot be opened; the arguments are those of :func:`read_utf8`."""
    if isinstance(error, FileNotFoundError):
        found, remedy = "no such file", "correct the path or add the file"
    elif isinstance(error, IsADirectoryError) or os.path.isdir(path):
        found, remedy = "a folder", "correct the path or add the file"
    else:
        found, remedy = error.strerror or type(error).__name__, "make the file and its folder readable"
    return InputError.of(
        where=where or path, expected=what, found=f"{found}: {path}" if where else found, remedy=remedy
    )
