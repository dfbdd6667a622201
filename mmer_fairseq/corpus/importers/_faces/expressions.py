"""Aff-Wild2's expressions: a file a video, a line a frame; the faces are ``<video>/00001.jpg``, ….

The first line names the classes, line k + 1 holds the class of frame k as a number from 0, and −1 where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmer_fairseq.corpus.faults import some, stop
from mmer_fairseq.corpus.importers._aff_wild2.annotations import FOLDERS
from mmer_fairseq.corpus.importers._aff_wild2.media import base_of
from mmer_fairseq.corpus.importers._faces.classes import Classes
from mmer_fairseq.corpus.importers._faces.pictures import Picture
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import is_picture, picture_files

#: Marks a frame without annotation.
NONE = -1

#: MELD's classes, as the model of FacialMMT has them, and what they are called here.
MELD = Classes(
    ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"),
    {"happiness": "joy"},
    (),
    ("other",),
)


@dataclass(frozen=True)
class Expressions:
    """Annotation of one video.

    Attributes:
        where: the file.
        split: train, valid or test; '': it says none.
        names: of the classes, in small letters.
        values: int64 [frames], index of a name, or −1.
    """

    where: str
    split: str
    names: tuple[str, ...]
    values: np.ndarray


def read_expressions(folder: Path) -> dict[str, Expressions]:
    """Video → its annotation.

    Args:
        folder: holds Train_Set, Validation_Set (or Val_Set) and maybe Test_Set, or the files themselves.

    Raises:
        InputError: there are no files, a video has two, or a file is wrong.
    """
    sets = [
        (split, folder / name)
        for split, names in FOLDERS.items()
        for name in names
        if (folder / name).is_dir()
    ]
    found: dict[str, Expressions] = {}
    for split, place in sets or [("", folder)]:
        files = [path for path in files_under(place) if path.suffix.lower() == ".txt"]
        if not files:
            raise InputError.of(
                where=place,
                expected="annotations of expressions, <video>.txt",
                found="none",
                remedy="name the folder of Train_Set and Validation_Set with --annotations",
            )
        for path in files:
            if path.stem in found:
                raise InputError.of(
                    where=path,
                    expected="one file of each video in all sets",
                    found=f"{found[path.stem].where} of the same video",
                    remedy="remove one of the two",
                )
            found[path.stem] = _read(path, split)
    return dict(sorted(found.items()))


def _read(path: Path, split: str) -> Expressions:
    text = read_utf8(path, "annotations of a video", stop)
    assert text is not None
    header, *lines = text.rstrip().split("\n")
    names = tuple(cell.strip().lower() for cell in header.split(","))
    if len(names) < 2 or len(set(names)) < len(names) or not all(name[:1].isalpha() for name in names):
        raise InputError.of(
            where=f"{path}:1",
            expected="the names of the classes, such as Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
            found=repr(header[:80]),
            remedy="name the folder of the expression annotations, or write the header",
        )
    try:
        values = np.array([int(line) for line in lines], dtype=np.int64)
        wrong = np.flatnonzero((values < NONE) | (values >= len(names)))
    except ValueError:
        wrong = np.array([k for k, line in enumerate(lines) if not line.strip().lstrip("-").isdigit()] or [0])
    if len(wrong):
        k = int(wrong[0])
        raise InputError.of(
            where=f"{path}:{k + 2}",
            expected=f"a class from 0 to {len(names) - 1}, or -1 for a frame without one",
            found=repr(lines[k][:80]),
            remedy="correct the line, or take the file anew from its source",
        )
    return Expressions(str(path), split, names, values)


def labelled_pictures(
    videos: Mapping[str, Expressions], root: Path, classes: Classes, every: int, left_out: LeftOut
) -> Iterator[tuple[str, Picture]]:
    """(split, picture) of each labelled frame that has a picture.

    Args:
        videos: from :func:`read_expressions`.
        root: of the folders of faces.
        classes: labels under ``drop`` are passed over.
        every: of these pictures of a video, each n-th is taken.
        left_out: told what is not taken, when all pictures have been asked for.

    Raises:
        InputError: a folder of faces is wrong.
    """
    bare, gaps, beyond = [], {}, {}
    unlabelled, dropped, passed = 0, dict.fromkeys(classes.drop, 0), 0
    for video, told in videos.items():
        wanted = np.array([name not in classes.drop for name in told.names])
        unlabelled += int((told.values == NONE).sum())
        for index, name in enumerate(told.names):
            if name in dropped:
                dropped[name] += int((told.values == index).sum())
        folder = root / video
        if not _has_pictures(folder):
            bare.append(video)
            continue
        numbers, files = picture_files(folder)
        inside = numbers <= len(told.values)
        if not inside.all():
            beyond[video] = int((~inside).sum())
        values = told.values[numbers[inside] - 1]
        keep = (values != NONE) & wanted[values]
        labelled = (told.values != NONE) & wanted[told.values]
        if labelled.sum() > keep.sum():
            gaps[video] = int(labelled.sum() - keep.sum())
        taken = np.flatnonzero(keep)[::every]
        passed += int(keep.sum()) - len(taken)
        for row in taken:
            path = f"{video}/{files[row].decode('ascii')}"
            yield told.split, Picture(path, told.names[values[row]], base_of(video))
    counts = {"without a class (-1)": unlabelled, f"passed over by --every {every}": passed}
    counts.update({f"of '{name}'": count for name, count in dropped.items()})
    left_out.notes += [f"frames {what}, left out: {count}" for what, count in counts.items() if count]
    for what, found in (
        ("with a class but without a picture, left out", gaps),
        ("with a picture but beyond the last line of their annotation, left out", beyond),
    ):
        if found:
            shown = some(f"{video} {count}" for video, count in found.items())
            left_out.notes.append(f"frames {what}: {sum(found.values())} ({shown})")
    if bare:
        left_out.notes.append(f"videos without pictures in {root}, left out: {some(bare)}")


def _has_pictures(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(is_picture(entry.name) for entry in entries if not entry.name.startswith("."))
