"""The two kinds of files that hold arrays: .npz, and tables with a header."""

from __future__ import annotations

import contextlib
import csv
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmer_fairseq.corpus.faults import some, stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError


class Archive(Mapping[str, np.ndarray]):
    """The arrays of an .npz file, each read when it is asked for: the others may be large.

    Raises:
        InputError: the file is missing, foreign or broken, or holds Python objects.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        with self._opened() as archive:
            self.names += archive.files

    def read(self, names: Sequence[str]) -> list[np.ndarray]:
        """Several arrays; the file is opened once."""
        with self._opened() as archive:
            return [self._read(archive, name) for name in names]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.read([name])[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            archive = np.load(self.path, allow_pickle=False)
            archive.files  # noqa: B018  (an .npy file loads as well, and has none)
        except FileNotFoundError as error:
            raise self._wrong("no such file", "correct the path") from error
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise self._wrong(f"a foreign or broken file ({error})", "save it again") from error
        with archive:
            yield archive

    def _read(self, archive: Any, name: str) -> np.ndarray:
        try:
            array = np.atleast_1d(archive[name])
            return np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            if "allow_pickle" not in str(error):
                raise self._wrong(f"'{name}' broken ({error})", "save it again with numpy.savez") from error
            remedy = "save numbers or texts (clips of different length: one array a clip, or --lengths)"
            raise self._wrong(f"Python objects in '{name}'", remedy) from error

    def _wrong(self, found: str, remedy: str) -> InputError:
        return InputError.of(where=self.path, expected="an .npz file of arrays", found=found, remedy=remedy)


def read_table(path: Path) -> dict[str, np.ndarray]:
    """The columns of a .csv or .tsv file, as texts.

    Raises:
        InputError: the file is missing, empty or no table.
    """
    text = read_utf8(path, "a table (.npz, .csv or .tsv)", stop)
    assert text is not None
    delimiter = "\t" if path.suffix == ".tsv" else ","
    try:
        header, *rows = [row for row in csv.reader(text.split("\n"), delimiter=delimiter) if row]
    except csv.Error as error:
        raise InputError.of(
            where=path, expected="a table", found=str(error), remedy="save it as .csv or .npz"
        ) from error
    header = [name.strip() for name in header]
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise InputError.of(
            where=f"{path}:1",
            expected="every column once",
            found=f"several named {some(sorted(repeated))}",
            remedy="rename them",
        )
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise InputError.of(
                where=f"{path}:{line}",
                expected=f"{len(header)} cells",
                found=len(row),
                remedy="give every column a cell, empty where there is nothing",
            )
    return {name: np.array([row[i].strip() for row in rows], dtype=str) for i, name in enumerate(header)}
