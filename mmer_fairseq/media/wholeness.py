"""Is the file all there? Containers announce their own size: comparing is exact and needs no decoding."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Optional

from mmer_fairseq.errors import InputError
from mmer_fairseq.media import files
from mmer_fairseq.media.files import Kind, PathLike
from mmer_fairseq.media.stopping import check

# Writers that cannot seek back (pipes) leave a size like 0xFFFFFFFF behind: it announces nothing.
_UNKNOWN_FROM = 0x7FFFFF00

# Some WAV writers count the header into the length of the data. Bytes.
_WAV_SLACK = 64


def examine(path: PathLike, where: Optional[str] = None, *, wanted: str = "a sound or video file") -> Kind:
    """Everything that can be said against a medium without decoding it.

    Args:
        path: the medium.
        where: row that names it, for messages.
        wanted: what the caller reads, for messages.

    Returns:
        What it is.

    Raises:
        InputError: :func:`files.identify` finds fault with it; or the file ends before its announced end, or
            (MP4) lacks its index, or (Ogg) lacks its end mark.
    """
    kind = files.identify(path, where, wanted=wanted)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if kind is files.WAV or kind is files.AVI:
            announced = _riff_end(file, size)
        elif kind is files.MP4:
            announced, indexed = _boxes_end(file, size)
            if not indexed and (announced is None or announced <= size):
                _raise_cut(path, where, "an MP4 file with its index (a moov box)", "none")
        elif kind is files.MATROSKA:
            announced = _segment_end(file)
        elif kind is files.OGG:
            if _ends_without_mark(file, size):
                _raise_cut(path, where, "an Ogg file with an end mark on its last page", "none")
            return kind
        else:
            return kind
    if announced is not None and announced > size:
        _raise_cut(
            path, where, f"a file of at least {announced} bytes, as its header announces", f"{size} bytes"
        )
    return kind


def _raise_cut(path: PathLike, where: Optional[str], expected: str, found: str) -> None:
    raise InputError.of(
        where=files.place(path, where),
        expected=expected,
        found=f"{found} (truncated)",
        remedy="copy, download or record the file again",
    )


def _riff_end(file: BinaryIO, size: int) -> Optional[int]:
    """End of the sound data (WAV) or of the last RIFF list (AVI may have several)."""
    outer, length, form = struct.unpack("<4sI4s", _exactly(file, 0, 12))
    if form != b"WAVE":
        end, at = None, 0
        while at + 8 <= size:
            name, length = struct.unpack("<4sI", _exactly(file, at, 8))
            check()
            if name != b"RIFF" or not 0 < length < _UNKNOWN_FROM:
                break
            end = at = at + 8 + length + length % 2
        # The last padding byte may be missing.
        return None if end is None else end - 1
    at, wide_data = 12, None
    while at + 8 <= size:
        name, length = struct.unpack("<4sI", _exactly(file, at, 8))
        check()
        if name == b"ds64":
            wide_data = struct.unpack("<Q", _exactly(file, at + 16, 8))[0]
        if name == b"data":
            if outer == b"RF64" and wide_data is not None:
                return at + 8 + int(wide_data) - _WAV_SLACK
            return None if length >= _UNKNOWN_FROM else at + 8 + length - _WAV_SLACK
        if not name.strip().isalnum():
            # A writer that forgot a padding byte: what follows cannot be judged.
            return None
        at += 8 + length + length % 2
    # The data chunk itself is missing: the chunk that hides it reaches beyond the file, or the header ends
    # early.
    return max(at, size + 1)


def _boxes_end(file: BinaryIO, size: int) -> tuple[Optional[int], bool]:
    """End of the last top-level box of an MP4 file, and whether there is an index (moov or moof)."""
    at, indexed = 0, False
    while at + 8 <= size:  # millions of boxes, maybe
        check()
        length, name = struct.unpack(">I4s", _exactly(file, at, 8))
        indexed = indexed or name in (b"moov", b"moof")
        if length == 1 and at + 16 <= size:
            length = struct.unpack(">Q", _exactly(file, at + 8, 8))[0]
        if length < 8 or not name.isalnum():
            # 0: the box reaches to the end of the file. Anything else: padding behind the last box.
            return None, indexed
        at += length
    return at, indexed


def _segment_end(file: BinaryIO) -> Optional[int]:
    """End of a Matroska file's segment; None where a live recorder left it open."""
    header_size, at = _vint(file, 4)
    if header_size is None or _exactly(file, at + header_size, 4) != b"\x18\x53\x80\x67":
        return None
    length, start = _vint(file, at + header_size + 4)
    return None if length is None else start + length


def _vint(file: BinaryIO, at: int) -> tuple[Optional[int], int]:
    """Matroska's number of variable width: its value (None: 'unknown'), and the position behind it."""
    first = _exactly(file, at, 1)[0]
    width = 9 - first.bit_length()
    if width > 8:
        return None, at + 1
    value = int.from_bytes(_exactly(file, at, width), "big") & ((1 << 7 * width) - 1)
    return None if value == (1 << 7 * width) - 1 else value, at + width


def _ends_without_mark(file: BinaryIO, size: int) -> bool:
    """Whether the last Ogg page is not marked as the last of its stream, or is itself cut."""
    # A page is at most 65,307 bytes.
    start = max(0, size - 65307)
    tail = _exactly(file, start, size - start)
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return True
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    return not tail[at + 5] & 4 or at + 27 + len(segments) + sum(segments) > len(tail)


def _exactly(file: BinaryIO, at: int, count: int) -> bytes:
    """``count`` bytes from ``at``; zeros where the file has ended."""
    file.seek(at)
    return file.read(count).ljust(count, b"\x00")
