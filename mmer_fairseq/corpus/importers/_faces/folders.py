"""Data sets whose folders are the classes: ``[split/]class/….jpg``."""

from __future__ import annotations

from pathlib import Path

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.importers._faces.pictures import Picture
from mmer_fairseq.corpus.importers._public.left_out import LeftOut
from mmer_fairseq.corpus.importers._public.recordings import files_under
from mmer_fairseq.corpus.importers._public.splits import split_of
from mmer_fairseq.errors import InputError
from mmer_fairseq.media.picture_folder import ENDINGS, is_picture


def split_folders(root: Path) -> dict[str, Path]:
    """Split → its folder; nothing where the folders are classes.

    Raises:
        InputError: there are no folders, or some are splits and others are not, or two are of one split.
    """
    folders = _folders(root)
    splits: dict[str, Path] = {}
    for folder in folders:
        split = split_of(folder.name)
        if split is None:
            continue
        if split in splits:
            raise InputError.of(
                where=root,
                expected=f"one folder of the {split} split",
                found=f"{splits[split].name} and {folder.name}",
                remedy="remove one of them",
            )
        splits[split] = folder
    others = [folder.name for folder in folders if folder not in splits.values()]
    if splits and others:
        raise InputError.of(
            where=root,
            expected="folders of splits (train, valid, test) that hold folders of classes, or folders of classes",
            found=f"{', '.join(folder.name for folder in splits.values())}, and {some(others)}",
            remedy="move the others away, or name the folder of the classes with --root",
        )
    return splits


def class_pictures(root: Path, folder: Path, left_out: LeftOut) -> tuple[list[Picture], dict[str, str]]:
    """The pictures of one folder of classes; what lies in folders of a class counts.

    Args:
        root: of the data set.
        folder: itself, or that of a split.
        left_out: told about files that are no pictures.

    Returns:
        The pictures, and label → its folder.

    Raises:
        InputError: there are no folders, or one has no pictures.
    """
    pictures, others = [], []
    labels = {}
    for place in sorted(_folders(folder), key=_natural):
        files = files_under(place)
        found = [path for path in files if is_picture(path)]
        others += [path for path in files if not is_picture(path)]
        if not found:
            raise InputError.of(
                where=place,
                expected=f"pictures of one class ({', '.join(ENDINGS)})",
                found=f"{some(path.name for path in files)}" if files else "an empty folder",
                remedy="put them there, remove the folder, or name the folder of the classes with --root",
            )
        labels[place.name] = str(place)
        pictures += [Picture(str(path.relative_to(root)), place.name) for path in found]
    if others:
        shown = some(path.relative_to(root) for path in others)
        left_out.notes.append(f"files that are no {', '.join(ENDINGS)}, passed over: {shown}")
    return pictures, labels


def _folders(root: Path) -> list[Path]:
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise InputError.of(
            where=root,
            expected="a folder for each class",
            found="none",
            remedy="name the folder that holds them with --root",
        )
    return folders


def _natural(folder: Path) -> tuple[int, str]:
    """Classes that are numbers stand in their order."""
    name = folder.name
    return (int(name), "") if name.isascii() and name.isdigit() else (-1, name)
