"""YAML with line numbers, so that a fault in ``corpus.yaml`` names the line it is in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from mmer_fairseq.corpus.faults import Fault
from mmer_fairseq.errors import InputError

Key = tuple[Any, ...]


class Lines:
    """Where each value of a YAML file stands.

    Values are named by the keys that lead to them: ``("labels", "emotion", "kind")``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[Key, int] = {}

    def where(self, *keys: Any) -> str:
        """``path:line`` of a value; of the closest one around it when it is not in the file."""
        while keys and keys not in self.known:
            keys = keys[:-1]
        return f"{self.path}:{self.known.get(keys, 1)}"


def parse_yaml(text: str, path: Path, fault: Fault) -> tuple[dict[str, Any] | None, Lines]:
    """Read a YAML text that must be a mapping.

    Args:
        text: the YAML text.
        path: its file, for messages.
        fault: told about bad syntax, keys given twice, and a text that is no mapping.

    Returns:
        The mapping (None when it could not be read) and where its values stand.
    """
    lines = Lines(path)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        fault(_syntax(error, path))
        return None, lines
    except (ValueError, RecursionError) as error:  # PyYAML lets these out for 2024-13-45 and for [[[[…
        fault(InputError.of(where=path, expected="valid YAML", found=str(error), remedy="correct that value"))
        return None, lines
    if node is None or not isinstance(value, dict):
        fault(
            InputError.of(
                where=path,
                expected="a YAML mapping (lines 'key: value')",
                found="an empty file" if value is None else f"a {type(value).__name__}",
                remedy="write at least 'name:' and 'labels:'",
            )
        )
        return None, lines
    _record(node, (), lines, set(), fault)
    return value, lines


def _syntax(error: yaml.YAMLError, path: Path) -> InputError:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or str(error).splitlines()[0])
    # PyYAML says "found …" or "expected …, but got …"; both words are in our own form already
    problem = re.sub(r"^expected (.*), but (?:got|found) (.*)$", r"\2 instead of \1", problem)
    problem = re.sub("^found ", "", problem)
    return InputError.of(
        where=f"{path}:{mark.line + 1}" if mark else path,
        expected="valid YAML",
        found=problem,
        remedy="correct the line (indent with blanks, quote texts that hold ': ' or '#')",
    )


def _record(node: yaml.Node, keys: Key, lines: Lines, seen: set[int], fault: Fault) -> None:
    lines.known[keys] = node.start_mark.line + 1
    if id(node) in seen:  # an alias: it may even hold itself
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _record(item, (*keys, index), lines, seen, fault)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, item in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else str(key.value)
        line = key.start_mark.line + 1
        if (*keys, name) in lines.known:
            fault(
                InputError.of(
                    where=f"{lines.path}:{line}",
                    expected=f"the key '{name}' once",
                    found=f"it in line {lines.known[(*keys, name)]} as well",
                    remedy="keep one of the two",
                )
            )
        _record(item, (*keys, name), lines, seen, fault)
        lines.known[(*keys, name)] = line
