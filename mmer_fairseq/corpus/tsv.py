"""``<split>.tsv``: a header and one clip a line, cells separated by tabs, no quotes and no escapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmer_fairseq.corpus.faults import Fault, count, hint, some
from mmer_fairseq.errors import InputError


@dataclass
class Table:
    """The rows of one split file.

    Attributes:
        path: the file.
        columns: its header.
        rows: (line number, column → cell without surrounding blanks).
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)


def parse_table(
    text: str, path: Path, fault: Fault, *, known: Sequence[str], required: Sequence[str] = ("id",)
) -> Table | None:
    """Read the text of a split file.

    Args:
        text: its content, lines ending in ``\\n``.
        path: the file, for messages.
        fault: told about every fault; a row with the wrong number of cells is left out of the table.
        known: columns a split file may have.
        required: columns it must have.

    Returns:
        The table; None when the header cannot be used.
    """
    lines = text.rstrip("\n").split("\n")
    columns = tuple(cell.strip() for cell in lines[0].split("\t"))
    if not _header(columns, path, fault, known, required):
        return None
    table = Table(path, columns)
    if len(lines) == 1:
        fault(
            InputError.of(
                where=f"{path}:1",
                expected="a header and one row at least",
                found="only the header",
                remedy="add the clips or remove the file",
            )
        )
    for line, row in enumerate(lines[1:], start=2):
        cells = [cell.strip() for cell in row.split("\t")]
        if len(cells) != len(columns):
            fault(_cells(f"{path}:{line}", len(columns), len(cells), row))
        elif "\x00" in row or "\r" in row:
            found = "a NUL character" if "\x00" in row else "a carriage return inside the line"
            fault(
                InputError.of(
                    where=f"{path}:{line}",
                    expected="printable text",
                    found=found,
                    remedy="remove it (lines end in LF or CRLF)",
                )
            )
        else:
            table.rows.append((line, dict(zip(columns, cells))))
    return table


def _header(
    columns: tuple[str, ...], path: Path, fault: Fault, known: Sequence[str], required: Sequence[str]
) -> bool:
    where = f"{path}:1"
    separator = next((c for c in ",;" if len(columns) == 1 and c in columns[0]), "")
    if separator:
        fault(
            InputError.of(
                where=where,
                expected="column names separated by tabs",
                found=f"a line separated by '{separator}': {columns[0]}",
                remedy="save the table tab-separated",
            )
        )
        return False
    missing = [column for column in required if column not in columns]
    unknown = [column for column in columns if column not in known]
    if missing:
        fault(_missing(missing, unknown, columns, required, where))
    if missing and 2 * len(unknown) > len(columns):  # no header at all: naming each cell would help nobody
        return False
    for column, times in Counter(columns).items():
        if times > 1:
            fault(
                InputError.of(
                    where=where,
                    expected="every column once",
                    found=f"'{column}' {times} times" if column else f"{times} columns without a name",
                    remedy="remove or rename one of them",
                )
            )
        elif column in unknown and not hint(column, missing, ""):  # that would tell of it twice
            remedy = hint(column, known, "remove it, or name it under 'other_columns' in corpus.yaml")
            fault(
                InputError.of(
                    where=where,
                    expected=f"the columns to be among {', '.join(known)}",
                    found=f"'{column}'",
                    remedy=remedy,
                )
            )
    return not missing and len(set(columns)) == len(columns)


def _missing(
    missing: list[str], unknown: list[str], columns: tuple[str, ...], required: Sequence[str], where: str
) -> InputError:
    close = {column: hint(column, unknown, "")[len("write ") :] for column in missing}
    renamed = [f"{there} to '{column}'" for column, there in close.items() if there]
    return InputError.of(
        where=where,
        expected=f"a header with the columns {', '.join(required)}",
        found=f"{some(columns)} (no {', '.join(missing)})",
        remedy=f"rename {' and '.join(renamed)}, or correct corpus.yaml"
        if renamed
        else "write the column names in the first line",
    )


def _cells(where: str, expected: int, found: int, row: str) -> InputError:
    return InputError.of(
        where=where,
        expected=f"{count(expected, 'cell')} separated by tabs",
        found=f"{found}" if row.strip() else "an empty line",
        remedy="give every column a cell, empty where there is nothing" if row.strip() else "remove the line",
    )
