"""Named arrays from .npz, .csv and .tsv files, each with the ids of its rows."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.corpus.faults import hint, number, some
from mmer_fairseq.corpus.importers._arrays.tables import Archive, read_table
from mmer_fairseq.errors import InputError

PER_CLIP = "{id}"


@dataclass(frozen=True)
class Keyed:
    """One entry for each id: a row of an array, or an array. ``where`` names the file and the key."""

    where: str
    ids: list[str]
    values: Sequence[Any] | np.ndarray

    def aligned(self, ids: Sequence[str], *, common: bool = False) -> list[Any]:
        """The values in the order of ``ids``.

        Args:
            ids: the clips wanted.
            common: ids that only one side has are no fault.

        Raises:
            InputError: the ids differ.
        """
        place = {clip: index for index, clip in enumerate(self.ids)}
        missing = [clip for clip in ids if clip not in place]
        wanted = set(ids)
        extra = [clip for clip in self.ids if clip not in wanted]
        if missing or (extra and not common):
            found = [f"without {some(missing)}"] if missing else []
            found += [f"with {some(extra)} besides"] if extra else []
            raise InputError.of(
                where=self.where,
                expected=f"the same {len(ids)} ids as the first features",
                found=f"{len(self.ids)} ids, {' and '.join(found)}",
                remedy="correct the ids, cut the part that differs with --id-part, or keep the ids that all "
                "files have with --common",
            )
        return [self.values[place[clip]] for clip in ids]


class ArrayFile:
    """One file of named arrays (columns of a CSV).

    Args:
        name: what the command line calls it.
        path: the file.
        ids_key: the array that holds the ids.
        id_part: the id is what the parentheses of this pattern match (None: all of it).
        steps: every row of this CSV is a time step; the rows of one id, in order, are its sequence.

    Raises:
        InputError: the file is missing, foreign, or holds Python objects.
    """

    def __init__(
        self,
        name: str,
        path: str | Path,
        *,
        ids_key: str | None = None,
        id_part: re.Pattern[str] | None = None,
        steps: bool = False,
    ) -> None:
        self.name = name
        self.path = Path(path)
        self.ids_key = ids_key
        self.id_part = id_part
        self.steps = steps
        self.arrays: Mapping[str, np.ndarray] = (
            Archive(self.path) if self.path.suffix == ".npz" else read_table(self.path)
        )

    def holds(self, key: str) -> bool:
        """Whether ``key`` names an array, several (``*``), or one a clip (``{id}``)."""
        return bool(self._matching(key))

    def _matching(self, key: str) -> list[str]:
        if PER_CLIP in key:
            pattern = re.compile("(.+)".join(map(re.escape, key.split(PER_CLIP))))
            return [name for name in self.arrays if pattern.fullmatch(name)]
        if "*" in key:
            return fnmatch.filter(self.arrays, key)
        return [key] if key in self.arrays else []

    def keyed(
        self,
        key: str,
        lengths: Sequence[int] | None = None,
        *,
        numbers: bool = False,
        vectors: bool = False,
    ) -> Keyed:
        """What a key names, by id.

        Args:
            key: name of an array; with ``*``: several one-dimensional ones side by side; with ``{id}``: one
                array a clip, under names that hold its id.
            lengths: rows of each clip, when the array holds the clips one after the other.
            numbers: the values must be numbers.
            vectors: they must be numbers, and a row of one number is a vector of width 1.

        Raises:
            InputError: the file has no ids, they are not unique, or the array does not fit them.
        """
        where = f"{self.path}, '{key}'"
        names = self._matching(key)
        if PER_CLIP in key:
            pattern = re.compile("(.+)".join(map(re.escape, key.split(PER_CLIP))))
            ids = [pattern.fullmatch(name).group(1) for name in names]  # type: ignore[union-attr]
            return Keyed(where, self._unique(map(self._part, ids)), self._many(names))
        columns = [self._numbers(name) if numbers or vectors else self.arrays[name] for name in names]
        array = columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
        array = array[:, None] if vectors and array.ndim == 1 else array
        ids = self.ids()
        if self.steps:
            return Keyed(where, *_grouped(ids, array))
        ids = self._unique(ids)
        if lengths is not None and len(array) == sum(lengths) != len(ids) == len(lengths):
            return Keyed(where, ids, np.split(array, np.cumsum(lengths)[:-1]))
        if len(array) != len(ids):
            raise InputError.of(
                where=where,
                expected=f"one row for each of the {len(ids)} ids in '{self.ids_key}'",
                found=f"shape {list(array.shape)}",
                remedy="name the ids of this array with --ids, or give --lengths if clips follow one another",
            )
        return Keyed(where, ids, array)

    def _many(self, names: Sequence[str]) -> list[np.ndarray]:
        arrays = self.arrays
        return arrays.read(names) if isinstance(arrays, Archive) else [arrays[name] for name in names]

    def ids(self) -> list[str]:
        """The ids of the rows (of a ``steps`` file: repeated)."""
        if self.ids_key is None:
            raise InputError.of(
                where=self.path,
                expected=f"the name of its ids among {some(self.arrays)}",
                found="none of them under --ids",
                remedy=f"add --ids {self.name}:KEY",
            )
        return [self._part(str(clip)) for clip in self.arrays[self.ids_key]]

    def _part(self, clip: str) -> str:
        if self.id_part is None:
            return clip.strip()
        found = self.id_part.search(clip)
        if found is None:
            raise InputError.of(
                where=self.path,
                expected=f"ids that match --id-part {self.id_part.pattern}",
                found=f"'{clip}'",
                remedy="correct the pattern",
            )
        return found.group(1) if self.id_part.groups else found.group()

    def _unique(self, ids: Any) -> list[str]:
        ids = list(ids)
        seen: set[str] = set()
        twice = [clip for clip in ids if clip in seen or seen.add(clip)]  # type: ignore[func-returns-value]
        if twice:
            raise InputError.of(
                where=self.path,
                expected="every id once",
                found=f"several rows of {some(dict.fromkeys(twice))}",
                remedy=f"correct the ids, or say --steps {self.name} if its rows are time steps",
            )
        return ids

    def _numbers(self, name: str) -> np.ndarray:
        """An array as numbers; an empty cell of a table is NaN."""
        array = self.arrays[name]
        if array.dtype.kind not in "US":
            return array
        try:
            return np.where(array == "", "nan", array).astype(np.float32)
        except ValueError as error:
            wrong = next(cell for cell in array.ravel() if cell and number(cell) is None)
            raise InputError.of(
                where=f"{self.path}, '{name}'",
                expected="numbers",
                found=f"'{wrong}'",
                remedy="correct the column or name another one",
            ) from error


def find(files: Sequence[ArrayFile], key: str) -> tuple[ArrayFile, str]:
    """The file that a key of the command line (``KEY`` or ``FILE:KEY``) means, and its key there.

    Raises:
        InputError: no file holds it, or several do.
    """
    for file in files:
        if key.startswith(f"{file.name}:") and file.holds(key[len(file.name) + 1 :]):
            return file, key[len(file.name) + 1 :]
    holders = [file for file in files if file.holds(key)]
    if len(holders) == 1:
        return holders[0], key
    known = [name if len(files) == 1 else f"{file.name}:{name}" for file in files for name in file.arrays]
    if holders:
        raise InputError.of(
            where=f"'{key}'",
            expected="an array of one file",
            found=f"one in each of {', '.join(str(file.path) for file in holders)}",
            remedy=f"write {' or '.join(f'{file.name}:{key}' for file in holders)}",
        )
    names = [name for file in files for name in file.arrays]
    raise InputError.of(
        where=f"'{key}'",
        expected=f"an array of {', '.join(str(file.path) for file in files)}",
        found=f"only {some(known)}",
        remedy=hint(key.split(":")[-1], names, "name one of them"),
    )


def _grouped(ids: list[str], array: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """The rows of each id, in order, wherever they stand."""
    rows: dict[str, list[int]] = {}
    for index, clip in enumerate(ids):
        rows.setdefault(clip, []).append(index)
    return list(rows), [array[indices] for indices in rows.values()]
