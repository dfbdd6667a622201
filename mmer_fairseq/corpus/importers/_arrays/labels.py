"""Labels that someone has as arrays → label columns and what ``corpus.yaml`` says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from mmer_fairseq.corpus.faults import some
from mmer_fairseq.errors import InputError


@dataclass(frozen=True)
class Labels:
    """Labels of all clips in one label space.

    Attributes:
        values: one of each clip: names or whole numbers (classes), rows of 0 and 1 (multilabel), numbers or
            rows of them (score), arrays [T, K] with NaN where there is no annotation (trace).
        kind: ``classes``, ``multilabel``, ``score`` or ``trace``.
        name: of the label space.
        names: the classes in order (default: sorted; whole numbers index into it), or the K values' names.
        range: lowest and highest value (score, trace).
        rate: steps a second in Hz (trace).
        ignore: labels whose clips are left out (classes, score).
        invalid: number that stands for "no annotation" besides NaN, such as Aff-Wild2's -5 (trace).
    """

    values: Sequence[Any]
    kind: str = "classes"
    name: str = "label"
    names: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    rate: float = 0.0
    ignore: tuple[str, ...] = ()
    invalid: float | None = None

    def lacking(self) -> list[int]:
        """Positions of the clips without a label: an empty text, NaN, or a trace of nothing else."""
        return [index for index, value in enumerate(self.values) if _empty(value)]

    def describe(self) -> dict[str, Any]:
        """The entry of ``corpus.yaml``."""
        entry: dict[str, Any] = {"kind": self.kind}
        if self.kind in ("classes", "trace"):
            entry["column"] = self.name
            entry["classes" if self.kind == "classes" else "names"] = list(self._names())
        else:
            entry["columns"] = list(self._names())
        if self.range is not None:
            entry["range"] = list(self.range)
        if self.kind == "trace":
            entry.update(rate=self.rate, invalid=math.nan)
        if self.ignore:
            entry["ignore"] = list(self.ignore)
        return entry

    def cells(self, folder: Path, ids: Sequence[str]) -> list[dict[str, str]]:
        """The label columns of every clip; traces are written to ``folder``/traces.

        Raises:
            InputError: a value is not of the kind, or an index has no class.
        """
        if self.kind == "classes":
            names = self._names()
            return [{self.name: self._class(value, names, clip)} for value, clip in zip(self.values, ids)]
        if self.kind == "trace":
            (folder / "traces").mkdir(exist_ok=True)
            return [{self.name: self._trace(value, folder, clip)} for value, clip in zip(self.values, ids)]
        table = self._table()
        names = self._names()
        return [{name: _number(value) for name, value in zip(names, row)} for row in table]

    def _names(self) -> tuple[str, ...]:
        if self.names:
            return self.names
        if self.kind == "classes":
            found = {_plain(value) for value in self.values}
            numbers = all(isinstance(value, int) for value in found)
            ordered = sorted(found) if numbers else sorted(map(str, found))
            return tuple(str(label) for label in ordered if str(label) not in self.ignore)
        if self.kind == "trace":
            width = np.asarray(self.values[0]).reshape(len(self.values[0]), -1).shape[1]
        else:
            width = self._table().shape[1]
        return (self.name,) if width == 1 else tuple(f"{self.name}{i + 1}" for i in range(width))

    def _class(self, value: Any, names: tuple[str, ...], clip: str) -> str:
        plain = _plain(value)
        if not isinstance(plain, int) or str(plain) in names or str(plain) in self.ignore:
            return str(plain)
        if not 0 <= plain < len(names):
            raise self._wrong(clip, f"a class number from 0 to {len(names) - 1}", plain, "name more classes")
        return names[plain]

    def _trace(self, value: Any, folder: Path, clip: str) -> str:
        array = np.asarray(value, dtype=np.float32)
        array = array[:, None] if array.ndim == 1 else array
        if self.invalid is not None:
            array = np.where(array == np.float32(self.invalid), np.float32(np.nan), array)
        if array.ndim != 2 or array.shape[1] != len(self._names()):
            expected = f"a trace [T, {len(self._names())}]"
            raise self._wrong(
                clip, expected, f"shape {list(array.shape)}", "give every clip the same columns"
            )
        path = f"traces/{quote(clip, safe='')}.npy"
        np.save(folder / path, array)
        return path

    def _table(self) -> np.ndarray:
        try:
            table = np.asarray(self.values, dtype=float)
        except (ValueError, TypeError) as error:
            raise self._wrong("all clips", "numbers", error, "correct the values") from error
        table = np.asarray(self.values) if np.asarray(self.values).dtype.kind == "f" else table
        table = table[:, None] if table.ndim == 1 else table
        if table.ndim != 2 or (self.names and table.shape[1] != len(self.names)):
            expected = f"[clips, {len(self.names) or 'values'}]"
            raise self._wrong(
                "all clips",
                expected,
                f"shape {list(table.shape)}",
                f"name one column each: {some(self.names)}",
            )
        return table

    def _wrong(self, clip: str, expected: str, found: object, remedy: str) -> InputError:
        return InputError.of(
            where=f"labels '{self.name}' of {clip}", expected=expected, found=found, remedy=remedy
        )


def _empty(value: Any) -> bool:
    if value is None or str(value).strip() == "":
        return True
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return False
    return bool(np.isnan(array).all() if array.ndim == 2 else np.isnan(array).any())


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's; 3.0, as CSV readers make of 3, as 3."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, (float, bool)) and float(value).is_integer() else value


def _number(value: Any) -> str:
    """The shortest text that gives the same number again."""
    return np.format_float_positional(value, trim="-")
