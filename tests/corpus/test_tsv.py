"""Split files: header, rows, cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.tsv import parse_table

KNOWN = ("id", "text", "video", "emotion")


def parse(text: str):
    found: list[ValueError] = []
    table = parse_table(text, Path("train.tsv"), found.append, known=KNOWN, required=("id", "emotion"))
    return table, [str(error) for error in found]


def test_rows_and_their_lines() -> None:
    table, faults = parse("id\ttext\temotion\na\t two words \thappy\nb\t\tsad\n")
    assert not faults
    assert table is not None
    assert table.columns == ("id", "text", "emotion")
    assert table.rows == [
        (2, {"id": "a", "text": "two words", "emotion": "happy"}),
        (3, {"id": "b", "text": "", "emotion": "sad"}),
    ]


def test_quotes_are_letters() -> None:
    table, faults = parse('id\ttext\temotion\na\t"No," she said\thappy\n')
    assert not faults
    assert table is not None
    assert table.rows[0][1]["text"] == '"No," she said'


CASES = [
    (
        "a\thappy\n",
        [
            "train.tsv:1: expected a header with the columns id, emotion; found a, happy (no id, emotion). "
            "Write "
            "the column names in the first line.",
        ],
    ),
    (
        "id\ttext\temotoin\na\tx\thappy\n",
        [
            "train.tsv:1: expected a header with the columns id, emotion; found id, text, emotoin (no emotion). "
            "Rename 'emotoin' to 'emotion', or correct corpus.yaml."
        ],
    ),
    (
        "name\temotion\na\thappy\n",
        [
            "train.tsv:1: expected a header with the columns id, emotion; found name, emotion (no id). "
            "Write the column names in the first line.",
            "train.tsv:1: expected the columns to be among id, text, video, emotion; found 'name'. "
            "Remove it, or name it under 'other_columns' in corpus.yaml.",
        ],
    ),
    (
        "id\temotion\tvidio\na\thappy\tx\n",
        [
            "train.tsv:1: expected the columns to be among id, text, video, emotion; found 'vidio'. Write "
            "'video'."
        ],
    ),
    (
        "id\temotion\tid\na\thappy\tb\n",
        ["train.tsv:1: expected every column once; found 'id' 2 times. Remove or rename one of them."],
    ),
    (
        "id\temotion\t\t\na\thappy\t\t\n",
        [
            "train.tsv:1: expected every column once; found 2 columns without a name. Remove or rename one "
            "of them."
        ],
    ),
    (
        "id,text,emotion\na,b,happy\n",
        [
            "train.tsv:1: expected column names separated by tabs; found a line separated by ',': "
            "id,text,emotion. Save the table tab-separated."
        ],
    ),
    (
        "id\temotion\n",
        [
            "train.tsv:1: expected a header and one row at least; found only the header. Add the clips or "
            "remove "
            "the file."
        ],
    ),
    (
        "id\temotion\na\thappy\nb\n",
        [
            "train.tsv:3: expected 2 cells separated by tabs; found 1. Give every column a cell, empty "
            "where there "
            "is nothing."
        ],
    ),
    (
        "id\temotion\na\thappy\tsad\n",
        [
            "train.tsv:2: expected 2 cells separated by tabs; found 3. Give every column a cell, empty "
            "where there "
            "is nothing."
        ],
    ),
    (
        "id\temotion\na\thappy\n\nb\tsad\n",
        ["train.tsv:3: expected 2 cells separated by tabs; found an empty line. Remove the line."],
    ),
    (
        "id\temotion\na\x00b\thappy\n",
        ["train.tsv:2: expected printable text; found a NUL character. Remove it (lines end in LF or CRLF)."],
    ),
    (
        "id\temotion\na\rb\thappy\n",
        [
            "train.tsv:2: expected printable text; found a carriage return inside the line. Remove it "
            "(lines end "
            "in LF or CRLF)."
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_faults(text: str, expected: list[str]) -> None:
    assert parse(text)[1] == expected


def test_good_rows_beside_faulty_ones_are_kept() -> None:
    table, _ = parse("id\temotion\na\nb\tsad\n")
    assert table is not None
    assert [cells["id"] for _, cells in table.rows] == ["b"]
