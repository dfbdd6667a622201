"""YAML with line numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmer_fairseq.corpus.yamlfile import parse_yaml


def parse(text: str):
    found: list[ValueError] = []
    value, lines = parse_yaml(text, Path("c.yaml"), found.append)
    return value, lines, [str(error) for error in found]


def test_where_values_stand() -> None:
    value, lines, faults = parse("name: x\nlabels:\n  emotion:\n    classes: [a,\n      b]\n")
    assert value == {"name": "x", "labels": {"emotion": {"classes": ["a", "b"]}}}
    assert lines.where("name") == "c.yaml:1"
    assert lines.where("labels", "emotion", "classes") == "c.yaml:4"
    assert lines.where("labels", "emotion", "classes", 1) == "c.yaml:5"
    assert lines.where("labels", "emotion", "kind") == "c.yaml:3"
    assert lines.where() == "c.yaml:1"
    assert not faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "name: x\n\tlabels: y\n",
            "c.yaml:2: expected valid YAML; found character '\\t' that cannot start any token. Correct the "
            "line (indent with blanks, quote texts that hold ': ' or '#').",
        ),
        (
            "name: [a, b\n",
            "c.yaml:2: expected valid YAML; found '<stream end>' instead of ',' or ']'. Correct the line "
            "(indent with blanks, quote texts that hold ': ' or '#').",
        ),
        (
            "name: a\x00b\n",
            "c.yaml: expected valid YAML; found unacceptable character #x0000: special characters are not "
            "allowed. Correct the line (indent with blanks, quote texts that hold ': ' or '#').",
        ),
        (
            "- a\n",
            "c.yaml: expected a YAML mapping (lines 'key: value'); found a list. Write at least 'name:' and "
            "'labels:'.",
        ),
        (
            "# nothing\n",
            "c.yaml: expected a YAML mapping (lines 'key: value'); found an empty file. Write at least "
            "'name:' "
            "and 'labels:'.",
        ),
        (
            "day: 2024-13-45\n",
            "c.yaml: expected valid YAML; found month must be in 1..12. Correct that value.",
        ),
    ],
)
def test_faults(text: str, fault: str) -> None:
    value, _, faults = parse(text)
    assert value is None
    assert faults == [fault]


def test_a_key_given_twice() -> None:
    value, _, faults = parse("name: x\nlicence: y\nname: z\n")
    assert value == {"name": "z", "licence": "y"}
    assert faults == [
        "c.yaml:3: expected the key 'name' once; found it in line 1 as well. Keep one of the two."
    ]


def test_an_alias_that_holds_itself() -> None:
    _, _, faults = parse("a: &x [*x]\n")
    assert not faults
