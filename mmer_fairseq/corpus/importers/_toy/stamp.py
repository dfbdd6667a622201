"""The note `toy.json` in a toy corpus: with which parameters it was made, and which files belong to it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from mmer_fairseq.errors import InputError

VERSION = 1
"""Raise it when the same parameters begin to give other files."""

_NAME = "toy.json"
_UNFINISHED = f"{_NAME}.part"
_MAKER = "mmer import toy"

Parameter = Union[int, float]


@dataclass
class Stamp:
    """What `toy.json` holds. `files`: path below the folder → bytes; empty until the corpus is finished."""

    directory: Path
    parameters: Mapping[str, Parameter]
    files: dict[str, int] = field(default_factory=dict)

    @classmethod
    def claim(cls, directory: Path, parameters: Mapping[str, Parameter]) -> Stamp:
        """Take a folder for a corpus of these parameters: new, empty, or begun with the same ones.

        Raises:
            InputError: it is a file, holds something else, or holds a toy corpus of other parameters.
        """
        wanted = {"version": VERSION, **parameters}
        if directory.exists() and not directory.is_dir():
            raise _refusal(directory, "a file")
        names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
        inside = sorted(names - {_UNFINISHED})
        if not inside:
            stamp = cls(directory, wanted)
            try:
                directory.mkdir(parents=True, exist_ok=True)
                stamp.save()
            except OSError as error:
                raise _refusal(directory, f"a place that cannot be written ({error.strerror})") from error
            return stamp
        note = _read(directory / _NAME) if _NAME in inside else None
        if note is None:
            raise _refusal(directory, f"a folder that holds {', '.join(inside[:3])} and is no toy corpus")
        if note["parameters"] != wanted:
            raise _refusal(
                directory, f"a toy corpus with {_say(note['parameters'])} (asked for: {_say(wanted)})"
            )
        return cls(directory, wanted, dict(note["files"]))

    def finished(self) -> bool:
        """Whether the corpus was once written to its end."""
        return bool(self.files)

    def intact(self, name: str) -> bool:
        """Whether a file that this corpus wrote is still there, as long as it was."""
        path = self.directory / name
        return path.is_file() and path.stat().st_size == self.files.get(name, -1)

    def save(self) -> None:
        """Write the note, whole or not at all."""
        note = {"made_by": _MAKER, "parameters": dict(self.parameters), "files": self.files}
        unfinished = self.directory / _UNFINISHED
        unfinished.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
        os.replace(unfinished, self.directory / _NAME)


def _read(path: Path) -> dict | None:
    """The note, or None where it is not ours."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    ours = isinstance(note, dict) and note.get("made_by") == _MAKER
    whole = ours and isinstance(note.get("parameters"), dict) and isinstance(note.get("files"), dict)
    return note if whole else None


def _say(parameters: Mapping[str, Parameter]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(parameters.items()))


def _refusal(directory: Path, found: str) -> InputError:
    return InputError.of(
        where=directory,
        expected="a new or empty folder, or a toy corpus made with the same parameters",
        found=found,
        remedy="name another folder, or delete this one if nothing in it is needed",
    )
