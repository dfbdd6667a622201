"""The table of ``--save-predictions``."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmer_fairseq.criterions.predictions import Predictions
from mmer_fairseq.errors import InputError


def dataset(*names: str, split: str = "valid") -> SimpleNamespace:
    clips = [SimpleNamespace(id=name, split=split) for name in names]
    return SimpleNamespace(clips=clips, clip_of=lambda i: clips[i])


def table(path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def written(tmp_path, kind, names, objective, decide, logits, target, mask=None) -> list[list[str]]:
    labels = SimpleNamespace(kind=kind, names=names)
    predictions = Predictions(str(tmp_path / "new" / "p.tsv"), labels, objective, decide)
    predictions.add(torch.tensor([1, 0]), logits, target, mask)
    predictions.write(dataset("first", "second"))
    return table(tmp_path / "new" / "p.tsv")


def test_classes_are_names_with_probabilities_in_the_order_of_the_split(tmp_path):
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    rows = written(
        tmp_path, "classes", ("sad", "joy"), "softmax", lambda x: x.argmax(-1), logits, torch.tensor([1, 0])
    )
    assert rows[0] == ["id", "split", "target", "prediction", "score_sad", "score_joy"]
    assert [row[:4] for row in rows[1:]] == [
        ["first", "valid", "sad", "sad"],
        ["second", "valid", "joy", "sad"],
    ]
    assert float(rows[1][4]) == pytest.approx(torch.sigmoid(torch.tensor(2.0)).item(), abs=1e-7)
    assert rows[2][4:] == ["0.5", "0.5"]


def test_multilabel_joins_the_names_that_hold(tmp_path):
    logits, target = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    rows = written(tmp_path, "multilabel", ("a", "b"), "bce", lambda x: (x > 0).long(), logits, target)
    assert [row[2:4] for row in rows[1:]] == [["", ""], ["a", "a|b"]]


def test_scores_are_written_exactly(tmp_path):
    logits = torch.tensor([[0.123456789], [-2.5]])
    rows = written(
        tmp_path, "score", ("s",), "l1", lambda x: x, logits, torch.tensor([[1 / 3], [3.0]]).double()
    )
    assert rows[1][2:] == ["3", "-2.5", "-2.5"]
    assert torch.tensor(float(rows[2][3])) == logits[0, 0]


def test_traces_have_a_row_a_step_in_the_order_of_time_and_no_target_where_there_is_no_label(tmp_path):
    # three windows: steps 0 and 2 of the first clip, step 1 of it, steps 0 and 1 of the second
    whole = dataset("first", "second")
    steps = [np.array([0, 2]), np.array([1]), np.array([0, 1])]
    windows = SimpleNamespace(
        clips=whole.clips, clip_of=lambda i: whole.clips[i // 2], steps_of=lambda i: steps[i]
    )
    labels = SimpleNamespace(kind="trace", names=("v",))
    predictions = Predictions(str(tmp_path / "p.tsv"), labels, "ccc", lambda x: x)
    values = torch.tensor([[0.0, 0.2], [0.1, 9.0], [1.0, 1.1]])[..., None]
    mask = torch.tensor([[False, False], [False, True], [True, False]])[..., None]
    predictions.add(torch.tensor([2, 0]), values[[2, 0]], -values[[2, 0]], mask[[2, 0]])
    predictions.add(torch.tensor([1]), values[[1]], -values[[1]], mask[[1]])
    predictions.write(windows)
    rows = table(tmp_path / "p.tsv")
    assert rows[0] == ["id", "split", "step", "target", "prediction", "score_v"]
    assert [(row[0], row[2]) for row in rows[1:]] == [
        ("first", "0"), ("first", "1"), ("first", "2"), ("second", "0"), ("second", "1"),
    ]  # fmt: skip
    assert [float(row[4]) for row in rows[1:]] == pytest.approx([0, 0.1, 0.2, 1, 1.1])
    assert [row[3] for row in rows[1:]] == ["-0", "-0.100000001", "-0.200000003", "", "-1.10000002"]


def test_a_second_split_is_added_and_a_repeated_one_replaced(tmp_path):
    labels = SimpleNamespace(kind="score", names=("s",))
    predictions = Predictions(str(tmp_path / "p.tsv"), labels, "l1", lambda x: x)
    for value in (1.0, 2.0):
        predictions.add(torch.tensor([0]), torch.tensor([[value]]), torch.tensor([[0.0]]))
        predictions.write(dataset("a"))
    predictions.add(torch.tensor([0]), torch.tensor([[3.0]]), torch.tensor([[0.0]]))
    predictions.write(dataset("b", split="test"))
    assert [row[:2] + row[3:4] for row in table(tmp_path / "p.tsv")[1:]] == [
        ["a", "valid", "2"],
        ["b", "test", "3"],
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["p.tsv"]


def start(path) -> Predictions:
    return Predictions(str(path), SimpleNamespace(kind="score", names=("s",)), "l1", lambda x: x)


def test_a_place_that_cannot_be_written_is_refused_before_the_first_batch(tmp_path):
    (tmp_path / "file").touch()
    for path, found in (
        (tmp_path, "Is a directory"),
        (tmp_path / "file" / "p.tsv", "Not a directory|File exists"),
    ):
        with pytest.raises(
            InputError, match=f"--save-predictions {path}: expected a new file, or .*; found ({found})"
        ):
            start(path)


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    (tmp_path / "train.tsv").write_text("id\ttext\n")
    with pytest.raises(InputError, match=r"found a file of another kind, which would be lost\. Name another"):
        start(tmp_path / "train.tsv")
    assert (tmp_path / "train.tsv").read_text() == "id\ttext\n"
    start(tmp_path / "new.tsv")
    assert not (tmp_path / "new.tsv").exists()
