"""Label spaces: reading labels, and targets."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmer_fairseq.corpus.clip import Clip, Label
from mmer_fairseq.corpus.labels import LabelSpace
from mmer_fairseq.errors import InputError

CLASSES = LabelSpace("emotion", "classes", ("happy", "sad"), ("emotion",), ignore=("xxx",))
MAPPED = LabelSpace(
    "emotion",
    "classes",
    ("joy", "sad"),
    ("e",),
    ignore=("other",),
    aliases=(("happiness", "joy"), ("grief", "sad")),
)
MULTILABEL = LabelSpace("emotions", "multilabel", ("happy", "sad"), ("happy", "sad"))
SCORE = LabelSpace("sentiment", "score", ("v", "a"), ("v", "a"), range=(-3.0, 3.0))
TRACE = LabelSpace("affect", "trace", ("v", "a"), ("trace",), range=(-1.0, 1.0), rate=10.0, invalid=-5.0)


def clip(label: Label) -> Clip:
    return Clip("c", {}, False, None, None, "", "", "", label, "train.tsv:2", "train")


@pytest.mark.parametrize(
    ("space", "cells", "label"),
    [
        (CLASSES, {"emotion": "sad"}, 1),
        (MAPPED, {"e": "happiness"}, 0),
        (MAPPED, {"e": "grief"}, 1),
        (MAPPED, {"e": "joy"}, 0),
        (MULTILABEL, {"happy": "1", "sad": "0"}, (1.0, 0.0)),
        (SCORE, {"v": "-2.6", "a": "3"}, (-2.6, 3.0)),
        (TRACE, {"trace": "t/c.csv"}, "t/c.csv"),
    ],
)
def test_parse(space: LabelSpace, cells: dict[str, str], label: Label) -> None:
    assert space.parse(cells, "train.tsv:2") == label
    assert space.size == 2


CASES = [
    (CLASSES, {"emotion": "hapy"}, "emotion to be one of happy, sad; found 'hapy'. Write 'happy'."),
    (
        CLASSES,
        {"emotion": "bored"},
        "emotion to be one of happy, sad; found 'bored'. Correct the label, or name it under 'classes', 'map' "
        "or 'ignore' of the label space 'emotion'.",
    ),
    (
        CLASSES,
        {"emotion": ""},
        "emotion to be one of happy, sad; found an empty cell. Write the label, or take the row out.",
    ),
    (
        MAPPED,
        {"e": "hapiness"},
        "e to be one of joy, sad, happiness, grief; found 'hapiness'. Write 'happiness'.",
    ),
    (
        MULTILABEL,
        {"happy": "1", "sad": "2"},
        "sad to be 0 or 1; found '2'. Write 1 where the label applies, else 0.",
    ),
    (
        MULTILABEL,
        {"happy": "", "sad": "1"},
        "happy to be 0 or 1; found an empty cell. Write the label, or take the row out.",
    ),
    (
        SCORE,
        {"v": "3.5", "a": "0"},
        "v to be a number from -3 to 3; found '3.5'. Correct the value or the range.",
    ),
    *(
        (
            SCORE,
            {"v": "0", "a": cell},
            f"a to be a number from -3 to 3; found '{cell}'. Write a number with a decimal point.",
        )
        for cell in ("nan", "inf", "0,5", "high")
    ),
    (
        SCORE,
        {"v": "", "a": "0"},
        "v to be a number from -3 to 3; found an empty cell. Write the label, or take the row out.",
    ),
    (
        TRACE,
        {"trace": ""},
        "trace to be the path of a trace file (.csv or .npy); found an empty cell. Write the label, or take "
        "the "
        "row out.",
    ),
]


@pytest.mark.parametrize(("space", "cells", "fault"), CASES)
def test_faults(space: LabelSpace, cells: dict[str, str], fault: str) -> None:
    with pytest.raises(InputError) as caught:
        space.parse(cells, "train.tsv:2")
    assert str(caught.value) == f"train.tsv:2: expected {fault}"


def test_a_score_without_a_range_takes_any_number() -> None:
    assert LabelSpace("s", "score", ("s",), ("s",)).parse({"s": "1e6"}, "x") == (1e6,)


def test_left_out() -> None:
    assert CLASSES.left_out({"emotion": "xxx"}) == "xxx"
    assert CLASSES.left_out({"emotion": "sad"}) is None
    assert MAPPED.left_out({"e": "other"}) == "other"
    assert MAPPED.left_out({"e": "happiness"}) is None
    neutral = LabelSpace("s", "score", ("s",), ("s",), ignore=("0",))
    assert neutral.left_out({"s": "0.0"}) == "0.0"
    assert neutral.left_out({"s": "0.1"}) is None
    assert neutral.left_out({"s": "nan"}) is None


def test_targets() -> None:
    assert torch.equal(CLASSES.target(clip(1)), torch.tensor(1))
    assert CLASSES.target(clip(1)).dtype == torch.long
    assert torch.equal(SCORE.target(clip((0.5, -1.0))), torch.tensor([0.5, -1.0]))
    assert MULTILABEL.target(clip((1.0, 0.0))).dtype == torch.float32


def test_target_of_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("a,v\n0.5,-0.5\n-5,1\n")
    target = TRACE.target(clip(str(path)))
    assert target.shape == (2, 2)
    assert target[0].tolist() == [-0.5, 0.5]
    assert target[1, 0] == 1.0
    assert math.isnan(target[1, 1])


def test_a_trace_may_have_a_rate_of_its_own() -> None:
    own = replace(clip("t.npy"), rate=29.97)
    assert TRACE.rate_of(clip("t.npy")) == 10.0
    assert TRACE.rate_of(own) == 29.97
    # The rate may be that of the pictures alone.
    assert CLASSES.rate_of(own) == 0.0
