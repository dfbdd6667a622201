"""A CSV file with a header → rows that know their line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus.faults import count, hint, number, some, stop
from mmer_fairseq.corpus.textfile import read_utf8
from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Row:
    """One row; ``where`` is ``path:line``, ``cells`` stand in the order of the header."""

    where: str
    header: tuple[str, ...]
    cells: tuple[str, ...]

    def __getitem__(self, column: str) -> str:
        return self.cells[self.header.index(column)]

    def amount(self, column: str) -> float:
        """A number of votes, or a share of them.

        Raises:
            InputError: the cell holds no number of 0 or more.
        """
        value = number(self[column])
        if value is None or value < 0:
            raise InputError.of(
                where=self.where,
                expected=f"{column} to be a number, 0 or more",
                found=f"'{self[column]}'",
                remedy="correct the table, or take it anew from its source",
            )
        return value


def read_rows(
    path: Path,
    what: str,
    required: Sequence[str] = (),
    delimiter: str = ",",
    bare: Sequence[str] = (),
) -> list[Row]:
    """Read a CSV file.

    Args:
        path: the file; quotes as spreadsheets write them.
        what: what it is, for messages ("the table of votes").
        required: columns it must have.
        delimiter: between cells.
        bare: the columns, where the file may have no header: that is so when its first cell is a number.

    Returns:
        Its rows; lines without anything are passed over.

    Raises:
        InputError: the file is missing, empty or no UTF-8 text, lacks a column or a row, or a row has the wrong
            number of cells.
    """
    text = read_utf8(path, what, stop)
    assert text is not None
    return rows_of(text, path, what, required, delimiter, bare)


def rows_of(
    text: str,
    path: Path,
    what: str,
    required: Sequence[str] = (),
    delimiter: str = ",",
    bare: Sequence[str] = (),
) -> list[Row]:
    """As :func:`read_rows`, from the text of the file, whose lines end in ``\\n``; lines of a cell become spaces."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [
            (reader.line_num, tuple(" ".join(cell.splitlines()).strip() for cell in row)) for row in reader
        ]
    except csv.Error as error:
        raise InputError.of(where=path, expected=what, found=str(error), remedy="save it as .csv") from error
    lines = [(line, row) for line, row in lines if any(row)]
    if not lines:
        remedy = "take the file anew from its source"
        raise InputError.of(where=path, expected=what, found="no cell that is filled", remedy=remedy)
    if bare and number(lines[0][1][0]) is not None:
        lines.insert(0, (1, tuple(bare)))
    (first, header), *rest = lines
    missing = [column for column in required if column not in header]
    if missing:
        raise InputError.of(
            where=f"{path}:{first}",
            expected=f"a header with the columns {', '.join(required)}",
            found=f"{some(map(repr, header))} (no {', '.join(missing)})",
            remedy=hint(missing[0], header, "write the header, or name another file").replace(
                "write '", f"rename to '{missing[0]}' the column '"
            ),
        )
    repeated = [column for column in dict.fromkeys(header) if column and header.count(column) > 1]
    if repeated:
        raise InputError.of(
            where=f"{path}:{first}",
            expected="every column once",
            found=f"several named {some(repeated)}",
            remedy="rename or remove one of them",
        )
    if not rest:
        raise InputError.of(
            where=path, expected=what, found="only a header", remedy="take the file anew from its source"
        )
    for line, row in rest:
        if len(row) != len(header):
            raise InputError.of(
                where=f"{path}:{line}",
                expected=count(len(header), "cell"),
                found=len(row),
                remedy="give every column a cell, empty where there is nothing",
            )
    return [Row(f"{path}:{line}", header, row) for line, row in rest]
