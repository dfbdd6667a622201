"""Named arrays from npz and CSV files, matched by ids."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._arrays.files import ArrayFile, Keyed, find
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


def test_rows_of_an_array(npz) -> None:
    file = ArrayFile("f", npz(clip=np.array(["b", "a"]), x=np.array([[1.0], [2.0]])), ids_key="clip")
    keyed = file.keyed("x")
    assert keyed.ids == ["b", "a"]
    assert [float(row[0]) for row in keyed.aligned(["a", "b"])] == [2.0, 1.0]


def test_bytes_are_texts(npz) -> None:
    assert ArrayFile("f", npz(clip=np.array([b"a", b"b"])), ids_key="clip").ids() == ["a", "b"]


def test_part_of_an_id(npz) -> None:
    path = npz(clip=np.array(["01-a", "01-b"]), x=np.zeros(2))
    assert ArrayFile("f", path, ids_key="clip", id_part=re.compile("^..-(.*)")).ids() == ["a", "b"]
    assert ArrayFile("f", path, ids_key="clip", id_part=re.compile("[ab]")).ids() == ["a", "b"]


def test_one_array_a_clip(npz) -> None:
    keyed = ArrayFile("f", npz(**{"a/audio": np.zeros((2, 1)), "b/audio": np.zeros((3, 1)), "c": 1})).keyed(
        "{id}/audio"
    )
    assert keyed.ids == ["a", "b"]
    assert [len(array) for array in keyed.values] == [2, 3]


def test_clips_one_after_the_other(npz) -> None:
    file = ArrayFile("f", npz(clip=np.array(["a", "b"]), x=np.arange(5.0)[:, None]), ids_key="clip")
    assert [array[:, 0].tolist() for array in file.keyed("x", [2, 3]).values] == [[0.0, 1.0], [2.0, 3.0, 4.0]]


def test_columns_side_by_side(table) -> None:
    file = ArrayFile("t", table("id,AU1,AU2,x\na,1,2,9\nb,3,4,9\n"), ids_key="id")
    assert np.asarray(file.keyed("AU*", numbers=True).values).tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_rows_that_are_time_steps(table) -> None:
    file = ArrayFile("t", table("id\tx\na\t1\nb\t2\na\t3\n", "t.tsv"), ids_key="id", steps=True)
    keyed = file.keyed("x", numbers=True)
    assert keyed.ids == ["a", "b"]
    assert [list(map(float, array)) for array in keyed.values] == [[1.0, 3.0], [2.0]]


def test_quotes_in_csv(table) -> None:
    file = ArrayFile("t", table('id,words\na,"well, yes"\n'), ids_key="id")
    assert list(file.keyed("words").values) == ["well, yes"]


def test_find(npz, table) -> None:
    files = [
        ArrayFile("f", npz(id=np.array(["a"]), x=np.zeros(1), actor=np.zeros(1))),
        ArrayFile("t", table("id,actor,emotion\na,1,sad\n")),
    ]
    assert find(files, "emotion") == (files[1], "emotion")
    assert find(files, "t:actor") == (files[1], "actor")
    with pytest.raises(InputError) as caught:
        find(files, "actor")
    folder = files[0].path.parent
    assert message(caught, folder) == (
        "'actor': expected an array of one file; found one in each of f.npz, t.csv. Write f:actor or t:actor."
    )
    with pytest.raises(InputError) as caught:
        find(files, "emotoin")
    assert message(caught, folder) == (
        "'emotoin': expected an array of f.npz, t.csv; found only f:id, f:x, f:actor, t:id, t:actor, … (6 "
        "in all). "
        "Write 'emotion'."
    )


def test_ids_that_differ_are_named() -> None:
    keyed = Keyed("f.npz, 'x'", ["a", "b", "z"], [1, 2, 3])
    with pytest.raises(InputError) as caught:
        keyed.aligned(["a", "b", "c"])
    assert str(caught.value) == (
        "f.npz, 'x': expected the same 3 ids as the first features; found 3 ids, without c and with z "
        "besides. Correct "
        "the ids, cut the part that differs with --id-part, or keep the ids that all files have with "
        "--common."
    )
    assert keyed.aligned(["b", "a"], common=True) == [2, 1]


def test_faults_of_npz(npz, tmp_path: Path) -> None:
    file = ArrayFile("f", npz(clip=np.array(["a", "a"]), x=np.zeros(3)), ids_key="clip")
    with pytest.raises(InputError) as caught:
        file.keyed("x")
    assert message(caught, tmp_path) == (
        "f.npz: expected every id once; found several rows of a. Correct the ids, or say --steps f if its "
        "rows are time "
        "steps."
    )
    file = ArrayFile("f", npz(clip=np.array(["a", "b"]), x=np.zeros(3)), ids_key="clip")
    with pytest.raises(InputError) as caught:
        file.keyed("x")
    assert message(caught, tmp_path) == (
        "f.npz, 'x': expected one row for each of the 2 ids in 'clip'; found shape [3]. Name the ids of "
        "this array with "
        "--ids, or give --lengths if clips follow one another."
    )
    file = ArrayFile(
        "f", npz(clip=np.array(["a", "b"]), x=np.zeros(2)), id_part=re.compile("q"), ids_key="clip"
    )
    with pytest.raises(InputError, match=r"f.npz: expected ids that match --id-part q; found 'a'\. Correct"):
        file.ids()
    with pytest.raises(InputError) as caught:
        ArrayFile("f", npz(clip=np.array(["a"]), x=np.zeros(1))).keyed("x")
    assert message(caught, tmp_path) == (
        "f.npz: expected the name of its ids among clip, x; found none of them under --ids. Add --ids f:KEY."
    )


def test_a_column_without_numbers(table, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        ArrayFile("t", table("id,x\na,high\n"), ids_key="id").keyed("x", numbers=True)
    assert message(caught, tmp_path) == (
        "t.csv, 'x': expected numbers; found 'high'. Correct the column or name another one."
    )


def test_empty_cells_are_not_numbers_and_one_column_is_a_vector(table) -> None:
    values = ArrayFile("t", table("id,x\na,1\nb,\n"), ids_key="id").keyed("x", vectors=True).values
    assert np.asarray(values).shape == (2, 1)
    assert np.isnan(values[1][0])
