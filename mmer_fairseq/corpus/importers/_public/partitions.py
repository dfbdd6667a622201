"""The label files of AuxFormer: labels and splits of a corpus in one CSV.

Source: Goncalves and Busso, "AuxFormer: Robust Approach to Audiovisual Emotion Recognition", ICASSP 2022, and its
repository. Column 0 is the name of the sound file with ``.wav``, then one column for each emotion, and the last
column is the partition: Train, Development or Test. There the label is the first of the largest values; here two
largest values are a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from mmer_fairseq.corpus.faults import hint
from mmer_fairseq.corpus.importers._public.tables import Row, read_rows
from mmer_fairseq.errors import InputError

_SPLITS = {"train": "train", "development": "valid", "test": "test"}


@dataclass(frozen=True)
class Entry:
    """What the file says of a clip."""

    where: str
    split: str
    votes: Mapping[str, float]


def read_partition(
    path: str | Path,
    *,
    classes: Sequence[str],
    emotions: Sequence[str],
    clip_of: Callable[[str, str], str],
    speaker_of: Callable[[str], str],
) -> tuple[dict[str, Entry], list[str]]:
    """Read a label file.

    Args:
        path: the file.
        classes: columns it must have.
        emotions: columns of other emotions, which mean that the file was made for other classes.
        clip_of: (cell without ``.wav``, place) → id of the clip; it raises for wrong names.
        speaker_of: id → speaker (or what else no two splits may share).

    Returns:
        The entry of each clip, and the columns that were not read.

    Raises:
        InputError: a column is missing or of another class, a cell is no number or no partition, a clip stands
            twice, or two splits share a speaker.
    """
    rows = read_rows(Path(path), "a label file of AuxFormer")
    header = rows[0].header
    names = {column.lower(): column for column in header[1:-1]}
    top = f"{path}:1"
    missing = [name for name in classes if name not in names]
    others = [name for name in emotions if name in names and name not in classes]
    if missing or others:
        raise InputError.of(
            where=top,
            expected=f"a name, the columns {', '.join(classes)}, and a partition",
            found=", ".join(header),
            remedy="choose --classes as the file has them, or another file",
        )
    entries: dict[str, Entry] = {}
    owner: dict[str, tuple[str, Entry]] = {}
    for row in rows:
        name = row.cells[0]
        clip = clip_of(name[:-4] if name.lower().endswith(".wav") else name, row.where)
        entry = Entry(row.where, _split(row), {name: row.amount(names[name]) for name in classes})
        if clip in entries:
            raise InputError.of(
                where=row.where,
                expected="every clip once",
                found=f"'{clip}', which stands at {entries[clip].where} as well",
                remedy="remove one of the two lines",
            )
        entries[clip] = entry
        other, first = owner.setdefault(speaker_of(clip), (clip, entry))
        if first.split != entry.split:
            raise InputError.of(
                where=row.where,
                expected="splits that share no speaker",
                found=f"{speaker_of(clip)} in {entry.split} ('{clip}') and in {first.split} ('{other}', "
                f"{first.where})",
                remedy="correct the partition of one of them, or use --partition",
            )
    return entries, [column for column in header[1:-1] if column.lower() not in classes]


def _split(row: Row) -> str:
    cell = row.cells[-1]
    if cell.lower() not in _SPLITS:
        known = ("Train", "Development", "Test")
        raise InputError.of(
            where=row.where,
            expected=f"the last column to be one of {', '.join(known)}",
            found=f"'{cell}'",
            remedy=hint(cell, known, "correct the cell, or move the partitions to the last column"),
        )
    return _SPLITS[cell.lower()]
