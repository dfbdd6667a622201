"""Reading a predictions file."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mmer_fairseq import metrics
from mmer_fairseq.criterions import predictions as criterion
from mmer_fairseq.errors import InputError
from mmer_fairseq.plots.predictions import Predictions, read_predictions

CLASSES = """\
id\tsplit\ttarget\tprediction\tscore_sad\tscore_happy
a\tvalid\thappy\tsad\t0.6\t0.4
b\ttest\tsad\tsad\t0.9\t0.1
c\tvalid\tsad\thappy\t0.2\t0.8
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "predictions.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_classes(tmp_path: Path) -> None:
    path = write(tmp_path, CLASSES)
    assert read_predictions(path) == Predictions(
        "classes", ("sad", "happy"), [[1], [0], [0]], [[0], [0], [1]], 3, ("valid", "test")
    )
    assert read_predictions(path, "valid") == Predictions(
        "classes", ("sad", "happy"), [[1], [0]], [[0], [1]], 2, ("valid",)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CLASSES + "b\ttest\tsad\thappy\t0.1\t0.9\n",
            ":5: expected every clip once; found 'b', which stands in line 3, too",
        ),
        (
            "id\tstep\ttarget\tprediction\tscore_v\nx\t0\t1\t1\t1\nx\t1\t1\t1\t1\nx\t0\t0\t0\t0\n",
            ":4: expected every step of a clip once; found 'x', which stands in line 2, too",
        ),
    ],
)
def test_nothing_counts_twice(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_predictions(write(tmp_path, text))


def test_classes_that_are_called_by_number(tmp_path: Path) -> None:
    path = write(tmp_path, "id\ttarget\tprediction\tscore_0\tscore_1\na\t1\t0\t0.1\t0.9\n")
    assert read_predictions(path) == Predictions("classes", ("0", "1"), [[1]], [[0]], 1, ())


def test_scores(tmp_path: Path) -> None:
    path = write(tmp_path, "id\ttarget\tprediction\tscore_v\tscore_a\nx\t0.5|-1\t0|1e-3\t0\t0.001\n")
    assert read_predictions(path) == Predictions("score", ("v", "a"), [[0.5, -1]], [[0, 0.001]], 1, ())


def test_labels(tmp_path: Path) -> None:
    head = "id\ttarget\tprediction\tscore_v\tscore_a\n"
    path = write(tmp_path, head + "x\t\tv|a\t0.9\t0.8\ny\ta\t\t0\t0\n")
    assert read_predictions(path) == Predictions(
        "multilabel", ("v", "a"), [[0, 0], [0, 1]], [[1, 1], [0, 0]], 2, ()
    )


def test_a_trace(tmp_path: Path) -> None:
    head = "id\tsplit\tstep\ttarget\tprediction\tscore_v\tscore_a\n"
    path = write(tmp_path, head + "x\ttest\t0\t0.5|\t1|2\t1\t2\nx\ttest\t1\t|\t3|4\t3\t4\n")
    found = read_predictions(path)
    assert (found.kind, found.clips, found.prediction) == ("trace", 1, [[1, 2], [3, 4]])
    assert str(found.target) == "[[0.5, nan], [nan, nan]]"


LOGITS = torch.tensor([[2.0, -1.0], [-1.0, 3.0], [-2.0, -1.0]])


@pytest.mark.parametrize(
    ("kind", "objective", "scores", "target", "prediction"),
    [
        ("classes", "softmax", LOGITS, torch.tensor([0, 0, 1]), [[0], [1], [1]]),
        ("multilabel", "bce", LOGITS, torch.tensor([[1, 0], [1, 1], [0, 0]]), [[1, 0], [0, 1], [0, 0]]),
        ("score", "l1", LOGITS, torch.tensor([[0.5, -1.5], [0.0, 1.0], [1.0, 2.0]]), LOGITS.tolist()),
    ],
)
def test_what_the_criterion_writes(tmp_path: Path, kind, objective, scores, target, prediction) -> None:
    writer = criterion.Predictions(
        str(tmp_path / "x.tsv"),
        SimpleNamespace(kind=kind, names=("v", "a")),
        objective,
        metrics.build(kind, ("v", "a"), objective).predict,
    )
    writer.add(torch.arange(3), scores, target)
    clips = [SimpleNamespace(id=f"clip{k}", split="test") for k in range(3)]
    writer.write(SimpleNamespace(clips=clips, clip_of=lambda k: clips[k]))
    found = read_predictions(tmp_path / "x.tsv")
    assert (found.kind, found.names, found.clips, found.splits) == (kind, ("v", "a"), 3, ("test",))
    assert torch.tensor(found.target).squeeze(-1).tolist() == target.tolist()
    assert found.prediction == prediction


def test_a_trace_that_the_criterion_writes(tmp_path: Path) -> None:
    writer = criterion.Predictions(
        str(tmp_path / "x.tsv"), SimpleNamespace(kind="trace", names=("v",)), "ccc", lambda scores: scores
    )
    target = torch.tensor([[[0.5], [float("nan")], [0.0]]])
    writer.add(torch.tensor([0]), torch.zeros(1, 3, 1), target, torch.tensor([[False, False, True]]))
    clips = [SimpleNamespace(id="clip", split="test")]
    writer.write(SimpleNamespace(clips=clips, clip_of=lambda k: clips[k], steps_of=lambda k: range(3)))
    found = read_predictions(tmp_path / "x.tsv")
    assert (found.kind, found.clips) == ("trace", 1)
    assert str(found.target) == "[[0.5], [nan], [nan]]"


def test_quotes_are_letters(tmp_path: Path) -> None:
    path = write(tmp_path, CLASSES.replace("a\tvalid", '"a\tvalid'))
    assert len(read_predictions(path).target) == 3


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("sad\tsad", "sad\tglad"), 3, "expected a prediction out of sad, happy; found 'glad'. Use one set"),
        (("b\ttest\tsad", "b\ttest\t0"), 3, "expected a target out of sad, happy; found '0'. Use one set"),
        (("0.9\t0.1", "0.9"), 3, "expected 6 tab-separated cells, as in the header; found 5. Give the file"),
        (
            ("a\tvalid\thappy", "a\tvalid\tglad"),
            2,
            "expected a target that is one of sad, happy, or a number for each, joined by |; found",
        ),
        (
            ("prediction", "answer"),
            1,
            "expected a header with the columns id, target, prediction and score_NAME for each label; "
            "found id, split, target, answer, score_sad, score_happy. Give",
        ),
    ],
)
def test_wrong_rows(tmp_path: Path, change: tuple[str, str], line: int, message: str) -> None:
    assert change[0] in CLASSES
    path = write(tmp_path, CLASSES.replace(*change, 1))
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert str(error.value).startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize("cell", ["nan", "inf", "1|2", "x", ""])
def test_wrong_numbers(tmp_path: Path, cell: str) -> None:
    path = write(tmp_path, f"id\ttarget\tprediction\tscore_v\nx\t1\t1\t1\ny\t0.5\t{cell}\t0\n")
    with pytest.raises(
        InputError,
        match=rf":3: expected a prediction that is one of v, or a number .*found '{re.escape(cell)}'",
    ):
        read_predictions(path)


def test_no_clips(tmp_path: Path) -> None:
    path = write(tmp_path, CLASSES)
    with pytest.raises(InputError) as error:
        read_predictions(path, "train")
    assert str(error.value) == (
        f"{path}: expected clips of the split 'train'; found none. "
        "Give the file that --save-predictions has written."
    )
    path = write(tmp_path, CLASSES.splitlines()[0] + "\n")
    with pytest.raises(InputError, match=r"expected one or more clips; found none\."):
        read_predictions(path)
    with pytest.raises(InputError, match=r"expected a header with .*; found nothing\."):
        read_predictions(write(tmp_path, ""))
    with pytest.raises(InputError, match=r"expected a readable table in UTF-8; found .*No such file"):
        read_predictions(tmp_path / "none.tsv")
