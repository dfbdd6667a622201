"""MELD's tables: one utterance a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._meld.text import read_table_text
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.tables import Row, rows_of
from mmer_fairseq.errors import InputError

#: In the order of the published models.
EMOTIONS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
SENTIMENTS = ("neutral", "positive", "negative")

COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")

#: Split → names that MELD and models built on it give it; the first is in ids.
NAMES = {"train": ("train",), "valid": ("dev", "val", "valid"), "test": ("test",)}
UTTERANCES = {"train": 9989, "valid": 1109, "test": 2610}


@dataclass(frozen=True)
class Utterance:
    """One row.

    Attributes:
        where: ``path:line``.
        split: train, valid or test.
        dialogue: number, unique in its split only.
        number: in the dialogue; some are not there.
        seconds: by the times that it was cut at (0: they are not known).
        episode: its season and its number, as the cells say ('' where they say nothing).
    """

    where: str
    split: str
    dialogue: int
    number: int
    text: str
    speaker: str
    emotion: str
    sentiment: str
    seconds: float
    episode: tuple[str, str]

    @property
    def talk(self) -> str:
        """Id of the dialogue in the corpus."""
        return f"{NAMES[self.split][0]}-d{self.dialogue}"

    @property
    def clip(self) -> str:
        """Id of the utterance in the corpus."""
        return clip_id(self.split, self.dialogue, self.number)


def clip_id(split: str, dialogue: int, number: int) -> str:
    """``dev-d12-u3``: numbers of dialogues begin anew in each split."""
    return f"{NAMES[split][0]}-d{dialogue}-u{number}"


def find_tables(folder: Path) -> dict[str, Path]:
    """Split → its table, of the splits that have one.

    Raises:
        InputError: there is none, or a split has two.
    """
    found = {}
    for split, names in NAMES.items():
        tables = [
            folder / f"{name}_sent_emo.csv" for name in names if (folder / f"{name}_sent_emo.csv").exists()
        ]
        if len(tables) > 1:
            raise InputError.of(
                where=folder,
                expected=f"one table of the {split} split",
                found=" and ".join(path.name for path in tables),
                remedy="remove one of them",
            )
        if tables:
            found[split] = tables[0]
    if not found:
        raise InputError.of(
            where=folder,
            expected="train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv in it",
            found="none of them",
            remedy="name the folder of MELD's tables with --csv-dir",
        )
    return found


def read_utterances(tables: Mapping[str, Path], left_out: LeftOut) -> dict[str, Utterance]:
    """Id → utterance, in the order of the tables.

    Args:
        tables: split → file.
        left_out: told about repaired characters and numbers of utterances that are not those of the whole corpus.

    Raises:
        InputError: a table lacks a column or is otherwise wrong, a label or a number is none, or an utterance stands
            twice.
    """
    found: dict[str, Utterance] = {}
    for split, path in tables.items():
        text, repairs = read_table_text(path, "a table of MELD")
        if repairs:
            left_out.notes.append(f"{path.name}: {repairs}")
        rows = rows_of(text, path, "a table of MELD", COLUMNS)
        for row in rows:
            one = _utterance(row, split)
            if one.clip in found:
                raise InputError.of(
                    where=row.where,
                    expected="every utterance once in its split",
                    found=f"dialogue {one.dialogue}, utterance {one.number}, which stand at {found[one.clip].where} "
                    "as well",
                    remedy="remove one of the two lines",
                )
            found[one.clip] = one
        if len(rows) != UTTERANCES[split]:
            left_out.notes.append(f"{path.name}: {len(rows)} utterances; MELD has {UTTERANCES[split]} there")
    return found


def _utterance(row: Row, split: str) -> Utterance:
    return Utterance(
        where=row.where,
        split=split,
        dialogue=_number(row, "Dialogue_ID"),
        number=_number(row, "Utterance_ID"),
        text=" ".join(row["Utterance"].split()),
        speaker=" ".join(row["Speaker"].split()),
        emotion=_label(row, "Emotion", EMOTIONS),
        sentiment=_label(row, "Sentiment", SENTIMENTS),
        seconds=_seconds(row),
        episode=(_cell(row, "Season"), _cell(row, "Episode")),
    )


def _cell(row: Row, column: str) -> str:
    return row[column] if column in row.header else ""


def _number(row: Row, column: str) -> int:
    cell = row[column]
    if not (cell.isascii() and cell.isdigit()):
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be a whole number, 0 or more",
            found=f"'{cell}'",
            remedy="correct the cell, or take the table anew from its source",
        )
    return int(cell)


def _label(row: Row, column: str, labels: tuple[str, ...]) -> str:
    cell = row[column]
    if cell.lower() not in labels:
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be one of {', '.join(labels)}",
            found=f"'{cell}'",
            remedy=hint(cell, labels, "correct the cell, or take the table anew from its source"),
        )
    return cell.lower()


def _seconds(row: Row) -> float:
    """From start to end; 0 where the cells do not say: nothing but a remark hangs on it."""
    start, end = (_clock(_cell(row, column)) for column in ("StartTime", "EndTime"))
    return max(0.0, end - start) if start is not None and end is not None else 0.0


def _clock(cell: str) -> float | None:
    """'00:16:21,731' in seconds."""
    try:
        hours, minutes, seconds = cell.replace(",", ".").split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None
