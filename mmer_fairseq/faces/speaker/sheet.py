"""A picture of what was chosen: a line a clip, to be looked over in a minute."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.write import writing

_FACES, _SIDE, _TEXT, _GAP = 6, 64, 330, 6
_LINES = 40  # clips a page
_SURE, _UNSURE = (40, 120, 60), (190, 50, 40)


@dataclass(frozen=True)
class Line:
    """A clip.

    Attributes:
        clip: its id.
        folder: of its crops.
        about: what stands beside them, a line each.
        unsure: drawn in red.
    """

    clip: str
    folder: Path
    about: Sequence[str]
    unsure: bool


def write_sheets(folder: Path, lines: Sequence[Line]) -> list[Path]:
    """Write ``contact-sheet.png``, and ``contact-sheet-2.png`` … where there are more than 40 clips.

    Args:
        folder: where to; sheets of an earlier run go.
        lines: of the clips; the unsure ones should come first.
    """
    from PIL import Image, ImageDraw

    with writing(folder):
        for old in folder.glob("contact-sheet*.png"):
            old.unlink()
    written = []
    for page, at in enumerate(range(0, len(lines), _LINES), 1):
        some = lines[at : at + _LINES]
        width = _TEXT + _FACES * (_SIDE + _GAP) + _GAP
        sheet = Image.new("RGB", (width, len(some) * (_SIDE + _GAP) + _GAP), (250, 250, 250))
        canvas = ImageDraw.Draw(sheet)
        for row, line in enumerate(some):
            top = _GAP + row * (_SIDE + _GAP)
            colour = _UNSURE if line.unsure else _SURE
            canvas.rectangle((0, top, 3, top + _SIDE), fill=colour)
            name = line.clip if len(line.clip) <= 48 else f"{line.clip[:22]}…{line.clip[-22:]}"
            for number, words in enumerate((name, *line.about)):
                canvas.text((10, top + 2 + 15 * number), words, fill=(20, 20, 20) if number == 0 else colour)
            for column, file in enumerate(_spread(line.folder)):
                with Image.open(file) as crop:
                    sheet.paste(
                        crop.convert("RGB").resize((_SIDE, _SIDE)), (_TEXT + column * (_SIDE + _GAP), top)
                    )
        path = folder / ("contact-sheet.png" if page == 1 else f"contact-sheet-{page}.png")
        data = io.BytesIO()
        sheet.save(data, "PNG")
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        with writing(path):
            scratch.write_bytes(data.getvalue())
            os.replace(scratch, path)
        written.append(path)
    return written


def _spread(folder: Path) -> list[Path]:
    """Some crops of a clip, from its beginning to its end."""
    files = sorted(folder.glob("*.jpg"))
    if len(files) <= _FACES:
        return files
    return [files[round(k * (len(files) - 1) / (_FACES - 1))] for k in range(_FACES)]
