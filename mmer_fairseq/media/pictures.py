"""Decoded frames → one array of upright RGB pictures."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np


class Pictures:
    """Upright RGB pictures [T, 3, H, W] in one growing buffer: each is copied once.

    Args:
        height_width: pixels (None: as the first picture).
        likely: how many pictures to make room for; more is no fault.
    """

    def __init__(self, height_width: Optional[Tuple[int, int]], likely: int) -> None:
        self._height_width = height_width
        self._likely = max(1, likely)
        self._count = 0
        self._last: Any = None
        self._buffer = np.empty((0, 3, 0, 0), dtype=np.uint8)

    def add(self, frame: Any) -> None:
        """Append a picture; a picture shown again is not converted again."""
        # The file asks for a turn counter-clockwise.
        turns = round(frame.rotation / 90) % 4
        if self._count == 0:
            from av.video.reformatter import VideoReformatter

            self._reformatter = VideoReformatter()
            if self._height_width is None:
                stored = (frame.height, frame.width)
                self._height_width = stored if turns % 2 == 0 else stored[::-1]
            self._buffer = np.empty((self._likely, 3, *self._height_width), dtype=np.uint8)
        elif self._count == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.empty_like(self._buffer)])
        if frame is self._last:
            self._buffer[self._count] = self._buffer[self._count - 1]
        else:
            self._convert(frame, turns, self._buffer[self._count])
        self._last = frame
        self._count += 1

    def _convert(self, frame: Any, turns: int, picture: np.ndarray) -> None:
        """Scale, turn by ``turns`` × 90° counter-clockwise and write into ``picture`` [3, H, W]."""
        height, width = picture.shape[1:] if turns % 2 == 0 else picture.shape[:0:-1]
        rgb = _rgb(self._reformatter, frame, width, height).planes[0]
        # Rows are padded in libav's memory.
        rows = np.frombuffer(rgb, dtype=np.uint8).reshape(-1, rgb.line_size)[:height, : 3 * width]
        picture[:] = np.rot90(rows.reshape(height, width, 3), turns).transpose(2, 0, 1)

    def all(self) -> np.ndarray:
        """The pictures; the buffer's unused end is given back when it is large."""
        used = self._buffer[: self._count]
        return used if 2 * self._count > len(self._buffer) else used.copy()


def _rgb(reformatter: Any, frame: Any, width: int, height: int) -> Any:
    """Scale and convert to interleaved RGB.

    Not to planar RGB, which could be copied as it lies: unless it also scales, swscale leaves the last
    columns of planar pictures unwritten when the width is no multiple of 16 (libswscale 8 and 9).
    """
    try:
        # One thread: swscale's own threads cost ten times the work on small pictures.
        return reformatter.reformat(frame, width, height, "rgb24", threads=1)
    except TypeError:
        # PyAV before 17 has no such argument and uses one thread.
        return reformatter.reformat(frame, width, height, "rgb24")
