"""Trace files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.traces import read_trace
from mmer_fairseq.errors import InputError

NAMES = ("valence", "arousal")


def read(path: Path, **options) -> np.ndarray:
    return read_trace(path, NAMES, where="train.tsv:2", **options)


def test_csv_columns_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"time,arousal,valence\r\n0.0,0.1,0.2\r\n0.1,0.3,0.4\r\n")
    assert read(path).tolist() == np.array([[0.2, 0.1], [0.4, 0.3]], np.float32).tolist()


def test_npy(tmp_path: Path) -> None:
    values = np.array([[0.5, -0.5], [-5, 0]], np.float64)
    np.save(tmp_path / "t.npy", values)
    trace = read(tmp_path / "t.npy", bounds=(-1.0, 1.0), invalid=-5.0)
    assert trace.dtype == np.float32
    assert math.isnan(trace[1, 0])
    assert trace[0].tolist() == [0.5, -0.5]


def test_npy_of_one_value_a_step(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.arange(3.0))
    assert read_trace(tmp_path / "t.npy", ("valence",), where="x").shape == (3, 1)


def test_not_a_number_may_be_the_invalid_value(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[0.5, np.nan]]))
    assert math.isnan(read(tmp_path / "t.npy", invalid=math.nan)[0, 1])


CSV = [
    (
        "valence,arousal\n0.1,0.2\n0.1,high\n",
        "t.csv:3: expected 2 numbers separated by commas; found '0.1,high'. Correct the line.",
    ),
    (
        "valence,arousal\n0.1\n",
        "t.csv:2: expected 2 numbers separated by commas; found '0.1'. Correct the line.",
    ),
    (
        "valence,time\n0.1,0.2\n",
        "t.csv:1: expected a header with the columns valence, arousal; found valence, time (no arousal). "
        "Write "
        "the names of the label space, separated by commas, in the first line.",
    ),
    (
        "",
        "train.tsv:2: expected a trace file; found an empty file: t.csv. Write its content or name another "
        "file.",
    ),
    (
        "valence,arousal\n",
        "train.tsv:2: expected a trace of one step at least; found none in t.csv. Add the trace or take the "
        "clip "
        "out.",
    ),
    (
        "valence,arousal\n0.1,0.2\n1.5,2\n",
        "t.csv:3: expected valence to be a number from -1 to 1; found 1.5 (2 such values in all). Correct "
        "the "
        "file, or give steps without annotation the value of 'invalid:'.",
    ),
    (
        "valence,arousal\n0.1,nan\n",
        "t.csv:2: expected arousal to be a number from -1 to 1; found nan (1 such value in all). Correct the "
        "file, or give steps without annotation the value of 'invalid:'.",
    ),
]


@pytest.mark.parametrize(("text", "fault"), CSV)
def test_faults_of_csv(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.csv", bounds=(-1.0, 1.0))
    assert str(caught.value).replace(f"{tmp_path}/", "") == fault


@pytest.mark.parametrize("name", ["t.csv", "t.npy"])
def test_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        f"train.tsv:2: expected a trace file; found no such file: {name}. Correct the path or add the file."
    )


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((3, 3)), "shape [3, 3] in t.npy. Save one column per name of the label space"),
        (np.array(["a"]), "no floats in t.npy. Write it with numpy.save"),
    ],
)
def test_faults_of_npy(tmp_path: Path, array: np.ndarray, found: str) -> None:
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.npy")
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert message.startswith("train.tsv:2: expected a .npy file of floats [T, 2]")
    assert message.endswith(f"; found {found}.")


@pytest.mark.parametrize("content", [b"", b"valence,arousal\n", b"\x93NUMPY"])
def test_foreign_npy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.npy").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.npy")
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        "train.tsv:2: expected a .npy file of floats [T, 2]; found a file of another kind, or a damaged one: t.npy. "
        "Write it with numpy.save."
    )
