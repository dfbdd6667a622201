"""The text of MELD's tables, whose releases differ in how they write ’ and … .

Some are UTF-8; some are Windows-1252; some are UTF-8 in which the bytes of Windows-1252 became control characters
(U+0092 for ’), or in which UTF-8 was read as Windows-1252 and written once more (â€™ for ’).
"""

from __future__ import annotations

import re
from pathlib import Path

from mmer_fairseq.corpus.textfile import unreadable
from mmer_fairseq.errors import InputError


def _character(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:  # five bytes mean nothing there
        return chr(byte)


_CHARACTERS = [_character(byte) for byte in range(256)]
_BYTES = {**{chr(byte): byte for byte in range(256)}, **{c: byte for byte, c in enumerate(_CHARACTERS)}}
_CONTROLS = {byte: _CHARACTERS[byte] if _CHARACTERS[byte] != chr(byte) else " " for byte in range(0x80, 0xA0)}

_LATER = "".join({re.escape(form) for byte in range(0x80, 0xC0) for form in (chr(byte), _CHARACTERS[byte])})
#: What two or three bytes of UTF-8 look like when they are read as Windows-1252.
_TWICE = re.compile(f"[ÂÃ][{_LATER}]|â[{_LATER}]{{2}}")


def repaired(text: str) -> str:
    """A text with its wrongly read characters put right; others stay as they are.

    >>> repaired("It\\x92s caf\\u00c3\\u00a9, isn\\u00e2\\u20ac\\u2122t it\\x85")
    'It’s café, isn’t it…'
    """
    return _TWICE.sub(_once, text).translate(_CONTROLS)


def _once(match: re.Match[str]) -> str:
    try:
        return bytes(_BYTES[character] for character in match.group()).decode("utf-8")
    except UnicodeDecodeError:
        return match.group()


def read_table_text(path: Path, what: str) -> tuple[str, str]:
    """Read a table in any of the encodings.

    Args:
        path: the file.
        what: what it is, for messages.

    Returns:
        Its text, repaired, with ``\\n`` line ends; and what was done to it ('': nothing).

    Raises:
        InputError: it is missing, cannot be read, is empty, or is no text.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, what, error) from error
    if not content.strip(b"\xef\xbb\xbf \t\r\n") or b"\x00" in content:
        found = "something that is no text (a NUL byte)" if b"\x00" in content else "an empty file"
        raise InputError.of(
            where=path, expected=what, found=found, remedy="take the file anew from its source"
        )
    try:
        text, done = content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        text, done = "".join(map(_CHARACTERS.__getitem__, content)), ["read as Windows-1252"]
    text = text.replace("\r\n", "\n")
    better = repaired(text)
    lines = sum(old != new for old, new in zip(text.split("\n"), better.split("\n")))
    if lines:
        done.append(f"characters of Windows-1252 put right in {lines} lines")
    return better, ", ".join(done)
