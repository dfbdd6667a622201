"""Label spaces in ``corpus.yaml``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.description import parse_description

CASES = [
    (
        "{kind: clases, column: e, classes: [a]}",
        "'kind' to be one of classes, multilabel, score, trace; found 'clases' (str). Write 'classes'.",
    ),
    (
        "{column: e}",
        "'kind' to be one of classes, multilabel, score, trace; found no kind. Write one of classes, "
        "multilabel, "
        "score, trace.",
    ),
    (
        "emotion",
        "'e' to be a mapping with 'kind' and its columns; found 'emotion' (str). Write {kind: …, …}.",
    ),
    (
        "{kind: classes, column: e}",
        "the key 'classes' of 'e'; found only kind, column. Add 'classes:'.",
    ),
    (
        "{kind: multilabel, columns: [a], range: [0, 1]}",
        "the keys of 'e' to be among kind, columns; found 'range'. Remove it.",
    ),
    (
        "{kind: classes, column: e, classes: []}",
        "'classes' to be a list of one entry at least; found an empty list. Name them.",
    ),
    (
        "{kind: classes, column: e, classes: [a, b, a]}",
        "'classes' to be a list without repeats; found 'a' twice. Remove one of the two.",
    ),
    (
        "{kind: classes, column: e, classes: [no, oh]}",
        "'classes' to be a list of texts; found False (bool) in it. Put quotes around entry 1.",
    ),
    (
        "{kind: classes, column: e, classes: happy}",
        "'classes' to be a list of texts; found 'happy' (str). Write [first, second].",
    ),
    (
        "{kind: classes, column: e, classes: [a], ignore: [a]}",
        "'ignore' to be labels that are no class; found 'a'. Remove it from one of the two lists.",
    ),
    (
        "{kind: classes, column: e, classes: [joy], map: happiness}",
        "'map' to be a mapping from labels to classes; found 'happiness' (str). Write {happiness: joy}.",
    ),
    (
        "{kind: classes, column: e, classes: [joy, sad], map: {happiness: jo, grief: sad}}",
        "'map' to be a mapping to classes (joy, sad); found 'happiness: jo'. Write 'joy'.",
    ),
    (
        "{kind: classes, column: e, classes: [joy], map: {grief: sorrow}}",
        "'map' to be a mapping to classes (joy); found 'grief: sorrow'. Correct it, or add the class under "
        "'classes'.",
    ),
    (
        "{kind: classes, column: e, classes: [joy, sad], map: {sad: joy}}",
        "'map' to be a mapping from labels that are no class; found 'sad: joy'. Remove it from 'map' or from "
        "'classes'.",
    ),
    (
        "{kind: classes, column: e, classes: [joy], map: {other: joy}, ignore: [other]}",
        "'map' to be a mapping from labels that are not left out; found 'other: joy'. Remove it from 'map' or "
        "from 'ignore'.",
    ),
    (
        "{kind: classes, column: e, classes: [joy], map: {no: joy}}",
        "'map' to be a mapping from texts to texts; found False (bool) in it. Put quotes around it.",
    ),
    (
        "{kind: classes, column: e, classes: [joy], map: {grief: [joy]}}",
        "'map' to be a mapping from texts to texts; found ['joy'] (list) in it. Put quotes around it.",
    ),
    (
        "{kind: score, columns: [s], map: {a: s}}",
        "the keys of 'e' to be among kind, columns, range, ignore; found 'map'. Remove it.",
    ),
    (
        "{kind: classes, column: text, classes: [a]}",
        "'e' to be in columns of its own; found the column 'text'. Rename the label column.",
    ),
    (
        "{kind: score, columns: [s], range: [3, -3]}",
        "'range' to be [lowest, highest]; found [3, -3] (list). Write the lower number first.",
    ),
    (
        "{kind: score, columns: [s], range: 3}",
        "'range' to be two numbers; found 3 (int). Write [lowest, highest].",
    ),
    (
        "{kind: score, columns: [s], range: [0, .inf]}",
        "'range' to be two numbers; found [0, inf] (list). Write [lowest, highest].",
    ),
    (
        "{kind: trace, column: t, names: [v], rate: 0}",
        "'rate' to be above 0 Hz; found 0. Write the steps a second of the traces.",
    ),
    (
        "{kind: trace, column: t, names: [v], rate: fast}",
        "'rate' to be a number; found 'fast' (str). Write a number after 'rate:'.",
    ),
    (
        "{kind: trace, column: t, names: [v], rate: 5, invalid: x}",
        "'invalid' to be a number; found 'x' (str). Write a number after 'invalid:'.",
    ),
]


@pytest.mark.parametrize(("entry", "fault"), CASES)
def test_faults(entry: str, fault: str) -> None:
    found: list[ValueError] = []
    parse_description(f"name: x\nlabels:\n  e: {entry}\n", Path("c.yaml"), found.append)
    assert [str(error) for error in found] == [f"c.yaml:3: expected {fault}"]


def test_labels_of_another_label_set() -> None:
    text = (
        "name: x\nlabels:\n  e:\n    kind: classes\n    column: expr\n    classes: [neutral, joy, 3]\n"
        "    map: {happiness: joy, 7: 3}\n    ignore: [other]\n"
    )
    found: list[ValueError] = []
    description = parse_description(text, Path("c.yaml"), found.append)
    assert not found
    assert description is not None
    space = description.labels["e"]
    assert space.aliases == (("happiness", "joy"), ("7", "3"))
    assert space.parse({"expr": "7"}, "train.tsv:2") == 2


def test_a_trace_may_mark_invalid_steps_as_not_a_number() -> None:
    text = "name: x\nlabels:\n  e: {kind: trace, column: t, names: [v], rate: 5, invalid: .nan}\n"
    found: list[ValueError] = []
    description = parse_description(text, Path("c.yaml"), found.append)
    assert not found
    assert description is not None
    invalid = description.labels["e"].invalid
    assert invalid is not None
    assert invalid != invalid
