from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.series import load_series

SIGNAL = np.random.default_rng(0).normal(size=(40, 3))


def test_arrays(tmp_path: Path):
    for dtype in (np.float64, np.float16, np.int32):
        np.save(tmp_path / "a.npy", (100 * SIGNAL).astype(dtype))
        wanted = torch.from_numpy((100 * SIGNAL).astype(dtype).astype(np.float32))
        torch.testing.assert_close(load_series(tmp_path / "a.npy"), wanted)
    np.save(tmp_path / "a.npy", SIGNAL[:, 0])
    assert load_series(tmp_path / "a.npy").shape == (40, 1)


def test_a_crop_by_rate(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.save(path, SIGNAL)
    crop = load_series(path, start=1.0, end=3.0, rate=4.0)
    torch.testing.assert_close(crop, torch.from_numpy(SIGNAL[4:12].astype(np.float32)))
    assert len(load_series(path, start=9.0, rate=4.0)) == 4


def test_tables(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("\ufeffeda,bvp\n0.5,1\n1.5,2\n2.5,3\n", encoding="utf-8")
    assert load_series(path).tolist() == [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]]


def test_a_crop_by_the_times_of_a_table(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("Time,eda\n" + "".join(f"{k / 4},{k}\n" for k in range(40)))
    assert load_series(path).shape == (40, 1)
    assert load_series(path, start=1.0, end=2.0)[:, 0].tolist() == [4, 5, 6, 7]
    with pytest.raises(InputError, match=r"inside the medium, which lasts 10\.000 s; found start 12 s"):
        load_series(path, start=12.0)


def fault(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as error:
        load_series(path, where="train.tsv:2", **options)
    text = str(error.value)
    assert text.startswith(f"train.tsv:2: {path}")
    return text[len(f"train.tsv:2: {path}") :]


WHAT = "a signal: an .npy array [steps, channels], or a .csv file whose header names the channels"


def test_files_that_are_no_signal(tmp_path: Path):
    text, array, table = tmp_path / "a.txt", tmp_path / "a.npy", tmp_path / "a.csv"
    assert fault(tmp_path / "none.npy").startswith(f": expected {WHAT}; found no such file. ")
    text.write_text("1 2 3")
    assert fault(text) == f": expected {WHAT}; found the name 'a.txt'. Convert it to .npy or .csv."
    array.write_text("1 2 3")
    assert fault(array).startswith(f": expected {WHAT}; found bytes of another kind or a cut file ('")
    np.save(array, SIGNAL)
    array.write_bytes(array.read_bytes()[:300])
    assert "found bytes of another kind or a cut file ('" in fault(array)
    for value, found in (
        (np.array(["a"]), "<U1 of shape [1]"),
        (np.ones((2, 2, 2)), "float64 of shape [2, 2, 2]"),
    ):
        np.save(array, value)
        expected = ": expected numbers [steps] or [steps, channels]; found "
        assert fault(array) == f"{expected}{found}. Write the array again."
    with array.open("wb") as file:
        np.savez(file, a=SIGNAL)
    assert "found an archive of arrays. Write one array with numpy.save." in fault(array)
    table.write_bytes(b"eda\n\xff\xfe\n")
    assert "found bytes that are no UTF-8 text. Name the right file." in fault(table)


def test_faults_in_a_table_name_the_line(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("eda,bvp\n1,2\n3\n")
    assert fault(path) == ":3: expected 2 cells; found 1 cells. Correct the row."
    path.write_text("eda,bvp\n1,2\n3,x\n")
    expected = ":3: expected numbers; found 'x'. "
    assert fault(path) == expected + "Write a number in every cell."
    path.write_text("eda\n1\n\n3\n")
    assert fault(path) == ":3: expected 1 cells; found an empty line. Correct the row."
    path.write_text("1,2\n3,4\n")
    expected = ":1: expected a header that names the channels; found numbers. "
    assert fault(path) == expected + "Put a header above the first row."


def test_values_that_are_no_numbers_or_missing(tmp_path: Path):
    path = tmp_path / "a.npy"
    broken = SIGNAL.copy()
    broken[7, 1] = np.nan
    np.save(path, broken)
    assert fault(path) == (
        ": expected finite numbers; found nan in step 8 of channel 2. "
        "Interpolate the gap or leave this cell of the corpus empty."
    )
    np.save(path, np.zeros((0, 3)))
    assert fault(path) == (
        ": expected at least one step and one channel; found shape [0, 3]. Correct the file or the times."
    )


def test_a_crop_needs_a_clock(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.save(path, SIGNAL)
    assert fault(path, start=1.0) == (
        ": expected a clock to crop by: the signal's rate in Hz, or a CSV column 'time' in seconds; "
        "found start 1.0, end None and no clock. "
        "Give the rate of the signal, or leave start and end empty."
    )
    assert "which lasts 10.000 s; found start 10 s, end at its end" in fault(path, start=10.0, rate=4.0)
