"""CSV files with a header, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.importers._public.tables import read_rows
from mmer_fairseq.errors import InputError


def test_rows_know_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf,a,b\r\n\r\n1,"x, y",2.5\r\n,,\r\n2,z,3\r\n')
    first, second = read_rows(path, "a table", ("a", "b"))
    assert (first.where, second.where) == (f"{path}:3", f"{path}:5")
    assert first.cells == ("1", "x, y", "2.5")
    assert first["a"] == "x, y"
    assert second.amount("b") == 3.0


def test_lines_of_a_cell_become_spaces(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b\r\n1,"GOOD\r\nDAY\n, ""x"""\r\n2,z\r\n')
    first, second = read_rows(path, "a table")
    assert (first["b"], second["b"]) == ('GOOD DAY , "x"', "z")
    assert second.where == f"{path}:5"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,c\n1,2\n", ":1: expected a header with the columns a, b; found 'a', 'c' (no b). Write the header, or"),
        ("a,B\n1,2\n", "(no b). Rename to 'b' the column 'B'."),
        ("a,b,a\n1,2,3\n", ":1: expected every column once; found several named a. Rename or remove one of them."),
        ("a,b\n", ": expected a table; found only a header. Take the file anew from its source."),
        ("a,b\n1,2\n1\n", ":3: expected 2 cells; found 1. Give every column a cell, empty where there is nothing."),
        ("", ": expected a table; found an empty file."),
        (",\n", ": expected a table; found no cell that is filled."),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_rows(path, "a table", ("a", "b"))
    assert str(error.value).startswith(str(path))
    assert fault in str(error.value)


@pytest.mark.parametrize("cell", ["", "x", "-1", "nan"])
def test_amounts(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,{cell}\n")
    (row,) = read_rows(path, "a table")
    with pytest.raises(InputError, match=r"t.csv:2: expected b to be a number, 0 or more; found "):
        row.amount("b")
