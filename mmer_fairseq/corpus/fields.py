"""Typed access to the values of a YAML file: a wrong one is reported with its line."""

from __future__ import annotations

import math
from typing import Any

from mmer_fairseq.corpus.faults import Fault, hint, some
from mmer_fairseq.corpus.yamlfile import Lines
from mmer_fairseq.errors import InputError

At = tuple[Any, ...]


class Fields:
    """Reads the values of one YAML file; ``at`` names a value by the keys that lead to it."""

    def __init__(self, lines: Lines, fault: Fault) -> None:
        self.lines = lines
        self.fault = fault

    def wrong(self, at: At, expected: str, found: str, remedy: str) -> None:
        what = f"'{at[-1]}' to be {expected}" if at else expected
        self.fault(InputError.of(where=self.lines.where(*at), expected=what, found=found, remedy=remedy))

    def keys(
        self, value: dict[Any, Any], at: At, required: tuple[str, ...], optional: tuple[str, ...]
    ) -> None:
        known = (*required, *optional)
        where = f"of '{at[-1]}'" if at else f"of {self.lines.path.name}"
        for key in value:
            if key not in known:
                remedy = hint(str(key), known, "remove it")
                self.fault(
                    InputError.of(
                        where=self.lines.where(*at, str(key)),
                        expected=f"the keys {where} to be among {', '.join(known)}",
                        found=f"'{key}'",
                        remedy=remedy,
                    )
                )
        for key in required:
            if key not in value:
                self.fault(
                    InputError.of(
                        where=self.lines.where(*at),
                        expected=f"the key '{key}' {where}",
                        found=f"only {some(value)}" if value else "no keys",
                        remedy=f"add '{key}:'",
                    )
                )

    def text(self, value: dict[str, Any], key: str, default: str = "", at: At = ()) -> str:
        found = value.get(key, default)
        if isinstance(found, str):
            return found
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            return str(found)
        self.wrong((*at, key), "a text", shown(found), f"write a text after '{key}:', in quotes if need be")
        return default

    def mapping(self, value: dict[str, Any], key: str) -> dict[str, Any]:
        found = value.get(key, {})
        if not isinstance(found, dict):
            self.wrong(
                (key,), "a mapping from names to entries", shown(found), "indent one 'name: {…}' a line"
            )
            return {}
        return {str(name): entry for name, entry in found.items()}

    def words(self, value: dict[str, Any], key: str, at: At = ()) -> tuple[str, ...]:
        """A list of different texts (whole numbers are taken as they are written)."""
        if key not in value:
            return ()
        at, found = (*at, key), value[key]
        if not isinstance(found, list):
            self.wrong(at, "a list of texts", shown(found), "write [first, second]")
            return ()
        words: list[str] = []
        for index, word in enumerate(found):
            if not isinstance(word, (str, int)) or isinstance(word, bool):
                remedy = f"put quotes around entry {index + 1}"
                self.wrong(at, "a list of texts", f"{shown(word)} in it", remedy)
            elif str(word) in words:
                self.wrong(at, "a list without repeats", f"'{word}' twice", "remove one of the two")
            else:
                words.append(str(word))
        return tuple(words)

    def number(self, value: dict[str, Any], key: str, at: At) -> float | None:
        found = value.get(key)
        if isinstance(found, (int, float)) and not isinstance(found, bool) and not math.isinf(found):
            return float(found)
        self.wrong((*at, key), "a number", shown(found), f"write a number after '{key}:'")
        return None


def shown(value: object) -> str:
    """A value and its type, for messages."""
    return "nothing" if value is None else f"{value!r} ({type(value).__name__})"
