"""Labels someone has as arrays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mmer_fairseq.corpus.importers._arrays.labels import Labels
from mmer_fairseq.errors import InputError


def cells(labels: Labels, folder: Path) -> list[dict[str, str]]:
    return labels.cells(folder, [f"c{i}" for i in range(len(labels.values))])


def test_names_of_classes_are_sorted(tmp_path: Path) -> None:
    labels = Labels(np.array(["sad", "happy", "xxx"]), name="emotion", ignore=("xxx",))
    assert labels.describe() == {
        "kind": "classes",
        "column": "emotion",
        "classes": ["happy", "sad"],
        "ignore": ["xxx"],
    }
    assert cells(labels, tmp_path) == [{"emotion": "sad"}, {"emotion": "happy"}, {"emotion": "xxx"}]


@pytest.mark.parametrize("values", [[10, 9, 9], np.array([10.0, 9.0, 9.0]), np.array([10, 9, 9])])
def test_whole_numbers_are_sorted_as_numbers(tmp_path: Path, values) -> None:
    labels = Labels(values)
    assert labels.describe()["classes"] == ["9", "10"]
    assert [row["label"] for row in cells(labels, tmp_path)] == ["10", "9", "9"]


def test_whole_numbers_index_into_the_classes(tmp_path: Path) -> None:
    labels = Labels([1, 0], names=("sad", "happy"))
    assert [row["label"] for row in cells(labels, tmp_path)] == ["happy", "sad"]
    with pytest.raises(InputError) as caught:
        cells(Labels([1, 2], names=("sad", "happy")), tmp_path)
    assert str(caught.value) == (
        "labels 'label' of c1: expected a class number from 0 to 1; found 2. Name more classes."
    )


def test_scores_keep_their_digits(tmp_path: Path) -> None:
    labels = Labels(np.array([-2.6, 0.1], np.float32), kind="score", name="s", range=(-3.0, 3.0))
    assert labels.describe() == {"kind": "score", "columns": ["s"], "range": [-3.0, 3.0]}
    assert cells(labels, tmp_path) == [{"s": "-2.6"}, {"s": "0.1"}]


def test_several_scores(tmp_path: Path) -> None:
    labels = Labels(np.array([[1, 2], [3, 4]]), kind="score", name="s")
    assert labels.describe()["columns"] == ["s1", "s2"]
    assert cells(labels, tmp_path)[1] == {"s1": "3", "s2": "4"}


def test_multilabel(tmp_path: Path) -> None:
    labels = Labels(np.array([[1, 0], [1, 1]]), kind="multilabel", names=("happy", "sad"))
    assert labels.describe() == {"kind": "multilabel", "columns": ["happy", "sad"]}
    assert cells(labels, tmp_path)[0] == {"happy": "1", "sad": "0"}


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        cells(Labels(np.zeros((2, 3)), kind="score", name="s", names=("a", "b")), tmp_path)
    assert str(caught.value) == (
        "labels 's' of all clips: expected [clips, 2]; found shape [2, 3]. Name one column each: a, b."
    )


def test_traces_are_files(tmp_path: Path) -> None:
    labels = Labels([np.zeros((3, 2)), np.ones((4, 2))], kind="trace", name="t", names=("v", "a"), rate=5.0)
    entry = labels.describe()
    assert math.isnan(entry.pop("invalid"))
    assert entry == {"kind": "trace", "column": "t", "names": ["v", "a"], "rate": 5.0}
    rows = labels.cells(tmp_path, ["a/b", "c"])
    assert rows == [{"t": "traces/a%2Fb.npy"}, {"t": "traces/c.npy"}]
    assert np.load(tmp_path / "traces/c.npy").shape == (4, 2)


def test_traces_of_another_width(tmp_path: Path) -> None:
    labels = Labels([np.zeros((3, 2)), np.ones((4, 1))], kind="trace", name="t", rate=5.0)
    with pytest.raises(InputError) as caught:
        cells(labels, tmp_path)
    assert str(caught.value) == (
        "labels 't' of c1: expected a trace [T, 2]; found shape [4, 1]. Give every clip the same columns."
    )


@pytest.mark.parametrize(
    ("values", "lacking"),
    [
        (["a", "", " "], [1, 2]),
        ([0.5, math.nan], [1]),
        (np.array([[0.5, np.nan], [1, 1]]), [0]),
        ([np.full((3, 1), np.nan), np.array([[np.nan], [1.0]])], [0]),
        ([None, "a"], [0]),
    ],
)
def test_clips_without_a_label(values, lacking: list[int]) -> None:
    assert Labels(values).lacking() == lacking
