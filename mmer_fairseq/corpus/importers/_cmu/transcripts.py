"""Transcripts of CMU-MOSEI and CMU-MOSI, clip by clip.

MOSEI has a file a video, ``<video>.txt``, with lines ``video___clip___start___end___text`` (times in seconds); MOSI has
``<video>.annotprocessed`` with lines ``clip_DELIM_text``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import number, stop
from mmer_fairseq.corpus.importers._cmu.labels import clip_number
from mmer_fairseq.corpus.importers._public.recordings import files_under
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

ENDINGS = (".txt", ".annotprocessed")


@dataclass(frozen=True)
class Segment:
    """A line: ``start`` and ``end`` in seconds are as the file has them, None where it has not."""

    where: str
    video: str
    text: str
    start: float | None = None
    end: float | None = None


def read_transcripts(folder: Path) -> dict[str, Segment]:
    """Every clip of the transcripts in a folder and the folders in it: id → segment.

    Raises:
        InputError: there is none, a line has another form, or a clip stands twice.
    """
    files = [path for path in files_under(folder) if path.suffix.lower() in ENDINGS]
    if not files:
        raise InputError.of(
            where=folder,
            expected="transcripts named <video>.txt or <video>.annotprocessed in it",
            found="none",
            remedy="name their folder with --transcripts, or leave text out of --modalities",
        )
    segments: dict[str, Segment] = {}
    for path in files:
        read = _mosei if path.suffix.lower() == ".txt" else _mosi
        text = read_utf8(path, "the transcript of a video", stop)
        assert text is not None
        for line, content in enumerate(text.split("\n"), start=1):
            if not content.strip():
                continue
            clip, segment = read(content.strip(), path, f"{path}:{line}")
            name = f"{segment.video}_{clip}"
            if name in segments:
                raise InputError.of(
                    where=segment.where,
                    expected="every clip once",
                    found=f"'{name}', which stands at {segments[name].where} as well",
                    remedy="remove one of the two lines",
                )
            segments[name] = segment
    return segments


def _mosei(line: str, path: Path, where: str) -> tuple[str, Segment]:
    cells = [cell.strip() for cell in line.split("___", 4)]
    clip = clip_number(cells[1]) if len(cells) == 5 else None
    if len(cells) != 5 or not cells[0] or clip is None:
        raise _other(line, "video___clip___start___end___text", where)
    start, end = number(cells[2]), number(cells[3])
    if start is None or end is None:
        raise InputError.of(
            where=where,
            expected="start and end in seconds",
            found=f"'{cells[2]}' and '{cells[3]}'",
            remedy="correct the line, or take the file anew from its source",
        )
    return clip, Segment(where, cells[0], " ".join(cells[4].split()), start, end)


def _mosi(line: str, path: Path, where: str) -> tuple[str, Segment]:
    first, delimiter, text = line.partition("_DELIM_")
    clip = clip_number(first.strip())
    if not delimiter or clip is None:
        raise _other(line, "clip_DELIM_text, the clip a number", where)
    return clip, Segment(where, path.stem, " ".join(text.split()))


def _other(line: str, form: str, where: str) -> InputError:
    return InputError.of(
        where=where,
        expected=f"a line of the form {form}",
        found=repr(line[:60]),
        remedy="correct the line, or take the file anew from its source",
    )
