"""Reading .npz files and tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._arrays.tables import Archive, read_table
from mmer_fairseq.errors import InputError


@pytest.fixture
def npz(tmp_path: Path):
    def write(**arrays: object) -> Path:
        np.savez(tmp_path / "f.npz", **arrays)
        return tmp_path / "f.npz"

    return write


@pytest.fixture
def table(tmp_path: Path):
    def write(text: str, name: str = "t.csv") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def message(caught: pytest.ExceptionInfo, folder: Path) -> str:
    return str(caught.value).replace(f"{folder}/", "")


def test_python_objects_are_refused(npz, tmp_path: Path) -> None:
    path = npz(x=np.array([[1], [1, 2]], dtype=object))
    with pytest.raises(InputError) as caught:
        Archive(path)["x"]
    assert message(caught, tmp_path) == (
        "f.npz: expected an .npz file of arrays; found Python objects in 'x'. Save numbers or texts (clips "
        "of "
        "different length: one array a clip, or --lengths)."
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "no such file"), (b"", "a foreign or broken file"), (b"id,x\n", "a foreign or broken file")],
)
def test_foreign_npz(tmp_path: Path, content: bytes | None, found: str) -> None:
    if content is not None:
        (tmp_path / "f.npz").write_bytes(content)
    with pytest.raises(InputError, match=rf"f.npz: expected an .npz file of arrays; found {found}"):
        Archive(tmp_path / "f.npz")


def test_a_damaged_npz(npz) -> None:
    path = npz(x=np.arange(1000.0))
    content = bytearray(path.read_bytes())
    content[500:600] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"f.npz: expected an .npz file of arrays; found 'x' broken \(.*CRC"):
        Archive(path)["x"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("id,x,x\n1,2,3\n", "t.csv:1: expected every column once; found several named x. Rename them."),
        (
            "id,x\n1\n",
            "t.csv:2: expected 2 cells; found 1. Give every column a cell, empty where there is nothing.",
        ),
        (
            "",
            "t.csv: expected a table (.npz, .csv or .tsv); found an empty file. Write its content or name "
            "another file.",
        ),
    ],
)
def test_faults_of_csv(table, tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InputError) as caught:
        read_table(table(text))
    assert message(caught, tmp_path) == fault


def test_arrays_are_read_when_asked_for(npz) -> None:
    archive = Archive(npz(a=np.arange(3), b=np.array([b"x"]), c=5))
    assert (list(archive), len(archive)) == (["a", "b", "c"], 3)
    assert archive["a"].tolist() == [0, 1, 2]
    assert [array.tolist() for array in archive.read(["b", "c"])] == [["x"], [5]]


def test_columns_are_texts(table) -> None:
    columns = read_table(table("\ufeffid, x\na,1\n\nb, 2\n"))
    assert {name: column.tolist() for name, column in columns.items()} == {"id": ["a", "b"], "x": ["1", "2"]}


def test_an_npy_file_is_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.zeros(2))
    (tmp_path / "f.npy").rename(tmp_path / "f.npz")
    with pytest.raises(InputError, match=r"expected an .npz file of arrays; found a foreign or broken file"):
        Archive(tmp_path / "f.npz")
