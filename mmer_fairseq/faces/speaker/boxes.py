"""A table of boxes that somebody else found → the faces of each clip."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmer_fairseq.corpus.faults import stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.faces.detectors import Face

COLUMNS = ("clip", "time", "x0", "y0", "x1", "y1")

#: Clip id → (seconds from the beginning of the clip, face), in the order of the file.
Table = Mapping[str, Sequence[tuple[float, Face]]]


def read_boxes(path: str | Path) -> Table:
    """Read a table of boxes.

    Args:
        path: tab-separated, with a header: clip, time (seconds from the clip's beginning), x0, y0, x1, y1 (pixels of
            the upright picture); other columns are not read.

    Raises:
        InputError: missing file or column, or a box that is none, naming the line.
    """
    text = read_utf8(path, "a table of boxes", stop)
    lines = (text or "").splitlines()
    header = lines[0].split("\t") if lines else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError.of(
            where=path,
            expected=f"a header with {', '.join(COLUMNS)}, between tabs",
            found=f"none of {', '.join(missing)}",
            remedy="write the header",
        )
    places = [header.index(column) for column in COLUMNS]
    table: dict[str, list[tuple[float, Face]]] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        cells = line.split("\t")
        try:
            clip = cells[places[0]]
            time, x0, y0, x1, y1 = (float(cells[place]) for place in places[1:])
            good = x1 > x0 and y1 > y0 and time >= 0 and all(map(math.isfinite, (time, x0, y0, x1, y1)))
        except (ValueError, IndexError):
            good = False
        if not good:
            raise InputError.of(
                where=f"{path}:{number}",
                expected="a clip, seconds from 0 on, and a box whose x1 and y1 are above x0 and y0",
                found=repr(line[:80]),
                remedy="correct the line",
            )
        table.setdefault(clip, []).append((time, Face((x0, y0, x1, y1), 1.0)))
    return table


def by_picture(boxes: Sequence[tuple[float, Face]], rate: float, count: int) -> dict[int, list[Face]]:
    """Boxes at some seconds → index of the first of ``count`` pictures that shows them at ``rate`` Hz → faces."""
    faces: dict[int, list[Face]] = {}
    when: dict[int, float] = {}
    for time, face in sorted(boxes, key=lambda pair: pair[0]):
        index = min(
            math.ceil(time * rate - 0.01), count - 1
        )  # the first that shows the picture of this moment
        if when.setdefault(index, time) == time:  # a second moment of the same picture: the first is enough
            faces.setdefault(index, []).append(face)
    return faces
