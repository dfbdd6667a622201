from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mmer_fairseq.errors import InputError
from mmer_fairseq.media.series import load_series, series_shape

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


def waves(rate: float, seconds: float = 8.0) -> np.ndarray:
    """A slow sine on a level of 5, and a faster one."""
    times = np.arange(round(rate * seconds)) / rate
    return np.stack([5 + np.sin(2 * np.pi * 0.7 * times), np.sin(2 * np.pi * 3 * times)], axis=1)


@pytest.mark.parametrize(("rate", "to_rate"), [(512, 100), (64, 100.0), (512.0, 12.5)])
def test_another_rate(tmp_path: Path, rate: float, to_rate: float):
    path = tmp_path / "a.npy"
    np.save(path, waves(rate))
    found = load_series(path, rate=rate, to_rate=to_rate)
    assert found.dtype == torch.float32
    assert found.shape == (round(8 * to_rate), 2)
    difference = np.abs(found.numpy() - waves(to_rate))
    inner = slice(len(difference) // 10, -len(difference) // 10)
    assert difference[inner].max() < 2e-2
    assert np.median(difference) < 2e-3
    # a level does not ring at the ends
    assert difference[:, 0].max() < 0.1
    # the crop is what is resampled
    crop = load_series(path, start=2.0, end=6.0, rate=rate, to_rate=to_rate)
    assert crop.shape == (round(4 * to_rate), 2)
    wanted = waves(to_rate)[round(2 * to_rate) : round(6 * to_rate)]
    assert np.abs(crop.numpy() - wanted)[5:-5].max() < 0.05
    as_recorded = load_series(path, rate=rate, to_rate=rate)
    assert torch.equal(as_recorded, load_series(path))


def table(path: Path, times: np.ndarray, values: np.ndarray, header: str = "time,eda,ecg") -> Path:
    np.savetxt(path, np.column_stack([times, values]), delimiter=",", header=header, comments="")
    return path


def test_the_times_of_a_table_tell_its_rate(tmp_path: Path):
    path = table(tmp_path / "a.csv", np.arange(512 * 8) / 512, waves(512))
    found = load_series(path, to_rate=64)
    assert np.abs(found.numpy() - waves(64))[20:-20].max() < 2e-3
    # they come before a rate given
    assert torch.equal(load_series(path, rate=100, to_rate=64), found)
    assert series_shape(path) == (4096, 2, pytest.approx(512.0))
    assert len(load_series(path, start=1.0, end=3.0, to_rate=64)) == 128


def test_irregular_times_are_interpolated_first(tmp_path: Path):
    random = np.random.default_rng(0)
    times = np.arange(256 * 8) / 256 + random.uniform(-0.4, 0.4, 256 * 8) / 256
    times = np.delete(times, slice(1000, 1064))  # and a gap of a quarter of a second
    slow = np.stack([5 + np.sin(2 * np.pi * 0.7 * times), times], axis=1)
    path = table(tmp_path / "a.csv", times, slow)
    found = load_series(path, to_rate=32).numpy()
    assert abs(len(found) - 8 * 32) <= 6
    # the second channel is the time itself: it goes on evenly, also over the gap
    assert np.abs(np.diff(found[8:-8, 1]) - 1 / 32).max() < 3e-3
    assert found[128, 1] == pytest.approx(4.0, abs=0.1)
    assert len(load_series(path)) == len(times)


def test_shapes(tmp_path: Path):
    np.save(tmp_path / "a.npy", SIGNAL)
    assert series_shape(tmp_path / "a.npy") == (40, 3, 0.0)
    assert series_shape(tmp_path / "a.npy", 512) == (40, 3, 512.0)
    (tmp_path / "a.csv").write_text("eda\n1\n2\n")
    assert series_shape(tmp_path / "a.csv", 4.0) == (2, 1, 4.0)
    with pytest.raises(InputError, match=r"train\.tsv:2: .*none\.npy: expected a signal"):
        series_shape(tmp_path / "none.npy", where="train.tsv:2")


def test_channels(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("Time,ecg,EDA,emg\n0,1,2,3\n1,4,5,6\n")
    assert series_shape(path, channels=("eda", "ecg")) == (2, 2, 1.0)
    assert load_series(path, channels=("eda", "ecg")).tolist() == [[2, 1], [5, 4]]
    assert fault(path, channels=("eda", "resp")) == (
        ": expected 2 channels (eda, resp); found ecg, EDA, emg (no resp). "
        "Name the columns so, or correct the channels of the corpus."
    )
    np.save(tmp_path / "a.npy", SIGNAL)
    assert load_series(tmp_path / "a.npy", channels=("a", "b", "c")).shape == (40, 3)
    assert fault(tmp_path / "a.npy", channels=("a",)) == (
        ": expected 1 channel (a); found 3. "
        "Write these channels side by side, or correct the channels of the corpus."
    )


def test_rates_at_fault(tmp_path: Path):
    path = tmp_path / "a.npy"
    np.save(path, SIGNAL)
    assert fault(path, rate=-1.0) == ": expected a rate above 0 Hz; found -1. Give rate a positive number."
    assert fault(path, to_rate=0.0) == (
        ": expected a to_rate above 0 Hz; found 0. Give to_rate a positive number."
    )
    assert fault(path, to_rate=4.0) == (
        ": expected a clock to resample by: the signal's rate in Hz, or a CSV column 'time' in seconds; "
        "found 4 Hz wanted and no clock. Say the rate in corpus.yaml (physio: {rate: …})."
    )
    table = tmp_path / "a.csv"
    table.write_text("time,eda\n0,1\n0.5,1\n0.25,1\n")
    assert fault(table) == (
        ":4: expected a 'time' after that of the row before (0.5 s); found 0.25. "
        "Sort the rows by time and remove repeated ones."
    )
