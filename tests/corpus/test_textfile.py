"""Text files as users save them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmer_fairseq.corpus.textfile import read_utf8, unreadable


def read(path: Path, where: str | None = None) -> tuple[str | None, list[str]]:
    found: list[ValueError] = []
    text = read_utf8(path, "a transcript", found.append, where)
    return text, [str(error).replace(f"{path.parent}/", "") for error in found]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfone\r\ntwo\r\n", b"one\ntwo\n"])
def test_byte_order_mark_and_line_ends(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.txt").write_bytes(content)
    assert read(tmp_path / "t.txt") == ("one\ntwo\n", [])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "t.txt: expected a transcript; found no such file. Correct the path or add the file."),
        (b"", "t.txt: expected a transcript; found an empty file. Write its content or name another file."),
        (
            b"\xef\xbb\xbf \n",
            "t.txt: expected a transcript; found an empty file. Write its content or name another file.",
        ),
        (
            "one\ntw\u00f6".encode("latin-1"),
            "t.txt:2: expected text in UTF-8; found byte 0xf6 at position 6. Save the file as UTF-8.",
        ),
        (
            "one".encode("utf-16"),
            "t.txt:1: expected text in UTF-8; found byte 0xff at position 0. Save the file as UTF-8.",
        ),
        (b"one\n\0\0", "t.txt:2: expected text; found a NUL character. Save the file as UTF-8 text."),
    ],
)
def test_faults(tmp_path: Path, content: bytes | None, fault: str) -> None:
    if content is not None:
        (tmp_path / "t.txt").write_bytes(content)
    assert read(tmp_path / "t.txt") == (None, [fault])


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "t.txt").mkdir()
    fault = "t.txt: expected a transcript; found a folder. Correct the path or add the file."
    assert read(tmp_path / "t.txt") == (None, [fault])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("locked", ["folder/t.txt", "folder"])
def test_a_file_without_permission(tmp_path: Path, locked: str) -> None:
    path = tmp_path / "folder" / "t.txt"
    path.parent.mkdir()
    path.write_text("one")
    (tmp_path / locked).chmod(0)
    try:
        fault = (
            "t.txt: expected a transcript; found Permission denied. Make the file and its folder readable."
        )
        assert read(path) == (None, [fault])
    finally:
        (tmp_path / locked).chmod(0o700)


def test_a_file_without_permission_as_everybody(tmp_path: Path) -> None:
    error = unreadable("t.txt", "a transcript", PermissionError(13, "Permission denied"), "train.tsv:7")
    assert str(error) == (
        "train.tsv:7: expected a transcript; found Permission denied: t.txt. Make the file and its folder readable."
    )


def test_the_row_that_names_the_file(tmp_path: Path) -> None:
    fault = "train.tsv:7: expected a transcript; found no such file: t.txt. Correct the path or add the file."
    assert read(tmp_path / "t.txt", "train.tsv:7") == (None, [fault])
