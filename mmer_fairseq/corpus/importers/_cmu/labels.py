"""Labels of CMU-MOSEI and CMU-MOSI: answers of annotators, or a table with one row a clip.

Annotations (MOSEI's ``Labels/*.csv``) have a row for each annotator of a clip: ``Input.VIDEO_ID``, ``Input.CLIP``,
``Answer.sentiment``, ``Answer.anger`` … Sentiment is the mean over annotators; an emotion is there when the sum of its
answers is above 0. Source of that rule: Dai et al., "Multimodal End-to-End Sparse Model for Emotion Recognition",
NAACL 2021. A table (``OpinionLevelSentiment.csv``, ``label.csv``) has ``video_id``, ``clip`` or ``clip_id``, ``label``,
and maybe ``start`` and ``end`` (seconds), ``text`` and ``mode`` (split).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import hint, number, some
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under
from mmer_fairseq.corpus.importers._public.splits import split_of
from mmer_fairseq.corpus.importers._public.tables import Row, read_rows
from mmer_fairseq.errors import InputError

LOW, HIGH = -3.0, 3.0

#: Column of the split files → answers that it stands for.
EMOTIONS = {
    "anger": "Answer.anger",
    "disgust": "Answer.disgust",
    "fear": "Answer.fear",
    "happy": "Answer.happiness",
    "sad": "Answer.sadness",
    "surprise": "Answer.surprise",
}
VIDEO, CLIP, SENTIMENT = "Input.VIDEO_ID", "Input.CLIP", "Answer.sentiment"
ANSWERS = (VIDEO, CLIP, SENTIMENT, *EMOTIONS.values())

_NAMES = {
    "video": ("video_id", "video"),
    "clip": ("clip_id", "clip"),
    "label": ("label", "sentiment"),
    "start": ("start",),
    "end": ("end",),
    "text": ("text",),
    "mode": ("mode",),
}
_NEEDED = ("video", "clip", "label")
#: Columns of a table without a header.
_BARE = ("start", "end", "video_id", "clip", "label")


@dataclass(frozen=True)
class Label:
    """What is said of a clip.

    Attributes:
        where: ``path:line`` of its first row.
        clip: its number in the video, without leading zeros.
        sentiment: −3 … 3; None where no annotator gave an answer.
        emotions: 0 or 1 for each of ``EMOTIONS``; () in a table.
        start, end: in seconds, as the table has them; None where it has not.
        text: '' where the labels have none.
        split: '' where the labels have none.
    """

    where: str
    video: str
    clip: str
    sentiment: float | None
    emotions: tuple[int, ...] = ()
    start: float | None = None
    end: float | None = None
    text: str = ""
    split: str = ""


def clip_number(text: str) -> str | None:
    """``7``, ``07`` and ``7.0`` are the clip ``7``; None when it is no whole number of 0 or more."""
    value = number(text)
    return str(int(value)) if value is not None and value >= 0 and value == int(value) else None


def read_labels(place: Path, left_out: LeftOut) -> dict[str, Label]:
    """Read labels.

    Args:
        place: a file, or a folder of annotations (with all folders in it).
        left_out: told about answers that are missing.

    Returns:
        Id (video, ``_``, number of the clip) → label.

    Raises:
        InputError: there is no file, a header or a cell is wrong, or a clip stands twice in a table.
    """
    files = [place]
    if place.is_dir():
        files = [path for path in files_under(place) if path.suffix.lower() == ".csv"]
        if not files:
            raise InputError.of(
                where=place,
                expected="labels in it (*.csv)",
                found="none",
                remedy="put them there, or name them with --labels",
            )
    tables = [read_rows(path, "a table of labels", bare=_BARE) for path in files]
    if any(VIDEO in rows[0].header for rows in tables):
        for path in files:  # once more, for a message that names what is missing
            read_rows(path, "annotations", ANSWERS)
        return _annotations((row for rows in tables for row in rows), left_out)
    if len(tables) > 1:
        raise InputError.of(
            where=place,
            expected=f"annotations with the columns {VIDEO}, {CLIP}, {SENTIMENT} …, or a single table",
            found=some(path.name for path in files),
            remedy="name the table with --labels",
        )
    return _table(tables[0], files[0])


def _annotations(rows: Iterable[Row], left_out: LeftOut) -> dict[str, Label]:
    given: dict[str, list[Row]] = {}
    for row in rows:
        video = row[VIDEO].replace("\\", "/").rsplit("/", 1)[-1]
        given.setdefault(f"{_video(video, row)}_{_clip(row, CLIP)}", []).append(row)
    labels, lacking = {}, []
    for clip, answers in given.items():
        sentiments = [_sentiment(row, SENTIMENT) for row in answers if row[SENTIMENT]]
        sums = [sum(row.amount(column) for row in answers if row[column]) for column in EMOTIONS.values()]
        if any(not row[column] for row in answers for column in (SENTIMENT, *EMOTIONS.values())):
            lacking.append(clip)
        video, _, position = clip.rpartition("_")
        mean = sum(sentiments) / len(sentiments) if sentiments else None
        emotions = tuple(int(total > 0) for total in sums)
        labels[clip] = Label(answers[0].where, video, position, mean, emotions)
    left_out.note("some of whose annotators left out an answer", lacking)
    return labels


def _table(rows: Sequence[Row], path: Path) -> dict[str, Label]:
    header = {column.lower(): column for column in rows[0].header}
    found = {what: next((name for name in names if name in header), "") for what, names in _NAMES.items()}
    column = {what: header[name] for what, name in found.items() if name}
    missing = [_NAMES[what][0] for what in _NEEDED if what not in column]
    if missing:
        raise InputError.of(
            where=f"{path}:1",
            expected=f"a header with the columns video_id, clip_id, label, or {', '.join(ANSWERS)}",
            found=f"{some(map(repr, rows[0].header))} (no {', '.join(missing)})",
            remedy="write the header, or name another file with --labels",
        )
    labels: dict[str, Label] = {}
    for row in rows:
        video, clip = _video(row[column["video"]], row), _clip(row, column["clip"])
        name = f"{video}_{clip}"
        if name in labels:
            raise InputError.of(
                where=row.where,
                expected="every clip once",
                found=f"'{name}', which stands at {labels[name].where} as well",
                remedy="remove one of the two lines",
            )
        start, end = _times(row, column)
        labels[name] = Label(
            where=row.where,
            video=video,
            clip=clip,
            sentiment=_sentiment(row, column["label"]),
            start=start,
            end=end,
            text=" ".join(row[column["text"]].split()) if "text" in column else "",
            split=_split(row, column["mode"]) if "mode" in column else "",
        )
    return labels


def _video(video: str, row: Row) -> str:
    if not video or "/" in video:
        raise InputError.of(
            where=row.where,
            expected="the id of a video",
            found=f"'{video}'",
            remedy="correct the cell, or take the row out",
        )
    return video


def _clip(row: Row, column: str) -> str:
    clip = clip_number(row[column])
    if clip is None:
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be the number of the clip in its video, a whole number of 0 or more",
            found=f"'{row[column]}'",
            remedy="correct the cell, or take the row out",
        )
    return clip


def _sentiment(row: Row, column: str) -> float:
    value = number(row[column])
    if value is None or not LOW <= value <= HIGH:
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be a number from {LOW:g} to {HIGH:g}",
            found=f"'{row[column]}'",
            remedy="correct the table, or take it anew from its source",
        )
    return value


def _times(row: Row, column: dict[str, str]) -> tuple[float | None, float | None]:
    if "start" not in column or "end" not in column:
        return None, None
    start, end = (number(row[column[what]]) for what in ("start", "end"))
    if start is None or end is None:
        raise InputError.of(
            where=row.where,
            expected="start and end to be seconds",
            found=f"'{row[column['start']]}' and '{row[column['end']]}'",
            remedy="correct the table, or take it anew from its source",
        )
    return start, end


def _split(row: Row, column: str) -> str:
    split = split_of(row[column])
    if split is None:
        known = ("train", "valid", "test")
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be one of {', '.join(known)}",
            found=f"'{row[column]}'",
            remedy=hint(row[column], known, "correct the cell, or remove the column"),
        )
    return split
