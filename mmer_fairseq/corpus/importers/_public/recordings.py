"""Which recordings lie in a folder. Nothing is decoded; files that can be no recordings are noticed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Callable

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.corpus.textfile import unreadable
from mmer_fairseq.errors import InputError

#: What git leaves in place of a file that git-lfs has not fetched; such files are never longer.
_POINTER, _POINTER_BYTES = b"version https://git-lfs", 1024


def given_folder(path: str | Path, what: str, remedy: str = "correct the path") -> Path:
    """A folder that the user names, as an absolute path.

    Raises:
        InputError: it is no folder.
    """
    folder = Path(path).absolute()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        raise InputError.of(where=folder, expected=what, found=found, remedy=remedy)
    return folder


def files_under(folder: Path) -> list[Path]:
    """Every file in a folder and the folders below it, hidden ones left out; links are followed once.

    Raises:
        InputError: a folder cannot be read.
    """

    def fail(error: OSError) -> None:
        raise unreadable(error.filename, "a readable folder", error) from error

    found, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=fail):
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
    return found


def recordings(
    files: Iterable[Path], endings: Sequence[str], clip_of: Callable[[str, str], str]
) -> tuple[dict[str, Path], list[str]]:
    """The recordings of one modality.

    Args:
        files: any files.
        endings: of recordings (``.wav``), the preferred one first.
        clip_of: (name of a file without its ending, the file) → id of its clip; it raises for wrong names.

    Returns:
        The file of each clip, and the clips whose file is empty (those are not in the first).

    Raises:
        InputError: a name is wrong, two files are of one clip, or git-lfs has not fetched the files.
    """
    found: dict[str, Path] = {}
    for path in files:
        ending = path.suffix.lower()
        if ending not in endings:
            continue
        clip = clip_of(path.stem, str(path))
        other = found.setdefault(clip, path)
        if other == path:
            continue
        if other.suffix.lower() == ending:
            raise InputError.of(
                where=path,
                expected="one file of each clip",
                found=f"{other} of the same clip",
                remedy="remove one of the two",
            )
        found[clip] = min(path, other, key=lambda one: endings.index(one.suffix.lower()))
    sizes = {clip: _size(path) for clip, path in found.items()}
    pointers = [clip for clip, size in sizes.items() if size <= _POINTER_BYTES and _is_pointer(found[clip])]
    if pointers:
        raise InputError.of(
            where=found[pointers[0]],
            expected="a recording",
            found=f"what git-lfs leaves in its place, as for {some(pointers)}",
            remedy="fetch the recordings: git lfs install, then git lfs pull in that repository",
        )
    empty = [clip for clip, size in sizes.items() if not size]
    return {clip: path for clip, path in found.items() if sizes[clip]}, empty


def there(paths: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """Which of the files that clips should have are there; several clips may share one.

    Args:
        paths: clip → file.

    Returns:
        The file of each clip that has one, and the clips whose file is empty (those are not in the first).

    Raises:
        InputError: a file cannot be looked at.
    """
    sizes = {path: _size(path) if path.is_file() else -1 for path in set(paths.values())}
    found = {clip: path for clip, path in paths.items() if sizes[path] > 0}
    return found, [clip for clip, path in paths.items() if sizes[path] == 0]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, "a recording", error) from error


def _is_pointer(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_POINTER)) == _POINTER
    except OSError as error:
        raise unreadable(path, "a recording", error) from error
