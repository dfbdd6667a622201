"""Aff-Wild2's valence and arousal: one file a video, one line a frame, or the frames that have labels.

The official files are ``<video>.txt`` with the header ``valence,arousal`` and one line a frame from the first on; −5
means that a frame has no annotation. The other form, that of JMT's code, is ``<video>.csv`` with the columns img, V, A
and frame_id (from 1); frames that are not listed have no annotation, and test videos have neither V nor A.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from mmer_fairseq.corpus.faults import number, some, stop
from mmer_fairseq.corpus.importers._public.recordings import files_under
from mmer_fairseq.corpus.importers._public.tables import Row, read_rows
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError

NAMES = ("valence", "arousal")
#: Marks a frame without annotation.
NONE = -5.0

FOLDERS = {
    "train": ("Train_Set",),
    "valid": ("Validation_Set", "Val_Set"),
    "test": ("Test_Set",),
}


@dataclass(frozen=True)
class Annotation:
    """What is known of the labels of one video.

    Attributes:
        split: train, valid or test.
        where: the file.
        frames: how many frames it tells of (0: it does not).
        values: float32 [frames, 2], −5 where there is no annotation; None for a test video.
    """

    split: str
    where: str
    frames: int
    values: np.ndarray | None


def read_annotations(folder: Path) -> dict[str, Annotation]:
    """Read the folders of the sets.

    Args:
        folder: holds Train_Set and Validation_Set (or Val_Set), and perhaps Test_Set.

    Returns:
        Annotation of each video, in the order of their names.

    Raises:
        InputError: a folder is missing or holds no annotations, a file is wrong, or a video has two files.
    """
    found: dict[str, Annotation] = {}
    for split, names in FOLDERS.items():
        sets = [folder / name for name in names if (folder / name).is_dir()]
        if not sets and split != "test":
            there = sorted(path.name for path in folder.iterdir())
            raise InputError.of(
                where=folder,
                expected=f"a folder {' or '.join(names)} in it",
                found=some(there) or "nothing",
                remedy="name the folder of the valence-arousal annotations",
            )
        for place in sets:
            files = [path for path in files_under(place) if path.suffix.lower() in (".txt", ".csv")]
            if not files:
                raise InputError.of(
                    where=place,
                    expected="annotations named <video>.txt or <video>.csv",
                    found="none",
                    remedy="put them there, or take the folder out",
                )
            for path in files:
                _add(found, path, split)
    return dict(sorted(found.items()))


def _add(found: dict[str, Annotation], path: Path, split: str) -> None:
    video = path.stem
    if video in found:
        raise InputError.of(
            where=path,
            expected="one file of each video in all sets",
            found=f"{found[video].where} of the same video",
            remedy="remove one of the two",
        )
    if path.suffix.lower() == ".csv":
        values, labelled = read_listed(path, needs_labels=split != "test")
    else:
        values, labelled = read_official(path), True
    found[video] = Annotation(split, str(path), len(values), values if labelled else None)


def read_official(path: Path) -> np.ndarray:
    """Read ``<video>.txt``: float32 [frames, 2], −5 in both where there is no annotation.

    Raises:
        InputError: the file is missing or empty, its header is another, a line holds no two numbers, or one of them
            is out of its range.
    """
    text = read_utf8(path, "annotations of a video", stop)
    assert text is not None
    header, *lines = text.rstrip("\n").split("\n")
    if tuple(cell.strip().lower() for cell in header.split(",")) != NAMES:
        raise InputError.of(
            where=f"{path}:1",
            expected="the header valence,arousal",
            found=repr(header[:80]),
            remedy="name the folder of the valence-arousal annotations, or write the header",
        )
    if not lines:
        raise _no_frames(path)
    values = np.empty((len(lines), 2))
    for frame, line in enumerate(lines):
        try:
            valence, arousal = line.split(",")
            values[frame] = float(valence), float(arousal)
        except ValueError as error:
            raise InputError.of(
                where=f"{path}:{frame + 2}",
                expected="two numbers separated by a comma (−5 for a frame without annotation)",
                found=repr(line[:80]),
                remedy="correct the line, or take the file anew from its source",
            ) from error
    return _checked(values, [f"{path}:{frame + 2}" for frame in _out_of_range(values)[:1]])


def read_listed(path: Path, *, needs_labels: bool) -> tuple[np.ndarray, bool]:
    """Read ``<video>.csv``.

    Args:
        path: the file.
        needs_labels: it must have the columns V and A.

    Returns:
        float32 [last frame, 2], −5 for frames that are not listed; and whether it has labels.

    Raises:
        InputError: a column is missing, a cell is no number, the frames are not in order, or ``img`` names another one.
    """
    required = ("V", "A", "frame_id") if needs_labels else ("frame_id",)
    rows = read_rows(path, "frames of a video", required)
    labelled = {"V", "A"} <= set(rows[0].header)
    pictures = "img" in rows[0].header
    frames = np.empty(len(rows), dtype=np.int64)
    for k, row in enumerate(rows):
        frames[k] = _frame(row)
        if k and frames[k] <= frames[k - 1]:
            raise InputError.of(
                where=row.where,
                expected=f"frame_id above that of the row before ({frames[k - 1]})",
                found=int(frames[k]),
                remedy="sort the rows by frame_id and remove repeated ones",
            )
        if pictures:
            _same_frame(row, int(frames[k]))
    values = np.full((int(frames[-1]), 2), NONE)
    if labelled:
        listed = np.array([[_value(row, "V"), _value(row, "A")] for row in rows])
        listed = _checked(listed, [rows[k].where for k in _out_of_range(listed)[:1]])
        values[frames - 1] = listed
    return values.astype(np.float32), labelled


def read_names(path: str | Path, what: str) -> dict[str, tuple[str, int]]:
    """Read a list of videos, one a line, or of frames (``<video>/00001.jpg``, further cells are not read).

    Returns:
        Video → (``path:line`` where it is first named, its highest frame; 0: the list names no frames).

    Raises:
        InputError: the file is missing or empty, or a picture is not named by a number.
    """
    text = read_utf8(path, what, stop)
    assert text is not None
    found: dict[str, tuple[str, int]] = {}
    for line, row in enumerate(text.split("\n"), start=1):
        cell = row.split(",")[0].strip()
        if not cell or cell == "image_location":
            continue
        where, frame = f"{path}:{line}", 0
        if "/" in cell:
            place = PurePosixPath(cell)
            if not (place.stem.isascii() and place.stem.isdigit()):
                raise InputError.of(
                    where=where,
                    expected="<video>/<frame>.jpg, or the name of a video",
                    found=f"'{cell}'",
                    remedy="correct the line",
                )
            cell, frame = place.parent.name, int(place.stem)
        first, highest = found.get(cell, (where, 0))
        found[cell] = first, max(highest, frame)
    return found


def _frame(row: Row) -> int:
    value = number(row["frame_id"])
    if value is None or value < 1 or value != int(value):
        raise InputError.of(
            where=row.where,
            expected="frame_id to be a whole number, 1 or more",
            found=f"'{row['frame_id']}'",
            remedy="count the frames of the video from 1",
        )
    return int(value)


def _same_frame(row: Row, frame: int) -> None:
    stem = PurePosixPath(row["img"].replace("\\", "/")).stem
    if stem.isascii() and stem.isdigit() and int(stem) != frame:
        raise InputError.of(
            where=row.where,
            expected=f"img to be picture {frame}, as frame_id says",
            found=f"'{row['img']}'",
            remedy="count both from 1; a label must stand beside its own picture",
        )


def _value(row: Row, column: str) -> float:
    value = number(row[column])
    if value is None:
        raise InputError.of(
            where=row.where,
            expected=f"{column} to be a number from -1 to 1 (−5 for a frame without annotation)",
            found=f"'{row[column]}'",
            remedy="correct the cell, or take the row out",
        )
    return value


def _out_of_range(values: np.ndarray) -> np.ndarray:
    """Rows with a value that is neither from −1 to 1 nor −5."""
    return np.flatnonzero((~(np.abs(values) <= 1) & (values != NONE)).any(axis=1))


def _checked(values: np.ndarray, wrong: list[str]) -> np.ndarray:
    """float32, both values −5 where one of them is; ``wrong``: places of values out of range."""
    if wrong:
        row = values[_out_of_range(values)[0]]
        raise InputError.of(
            where=wrong[0],
            expected="valence and arousal from -1 to 1 (−5 for a frame without annotation)",
            found=f"{row[0]:g}, {row[1]:g}",
            remedy="correct the line, or take the file anew from its source",
        )
    return np.where((values == NONE).any(axis=1, keepdims=True), NONE, values).astype(np.float32)


def _no_frames(path: Path) -> InputError:
    return InputError.of(
        where=path,
        expected="one line a frame",
        found="only a header",
        remedy="take the file anew from its source",
    )
