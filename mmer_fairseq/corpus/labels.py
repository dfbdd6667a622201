"""Label spaces: what a clip can be labelled with, and how a label becomes a target.

Four kinds: ``classes`` (one of N), ``multilabel`` (any of N), ``score`` (one or several floats), ``trace``
(floats over time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmer_fairseq.corpus.clip import Clip, Label
from mmer_fairseq.corpus.faults import hint, number
from mmer_fairseq.corpus.traces import read_trace
from mmer_fairseq.errors import InputError

KINDS = ("classes", "multilabel", "score", "trace")


@dataclass(frozen=True)
class LabelSpace:
    """One label space of a corpus.

    Attributes:
        name: what ``corpus.yaml`` calls it.
        kind: one of ``KINDS``.
        names: the classes, or the names of the N values.
        columns: the columns of the split files that hold the label.
        range: lowest and highest value (score, trace); None: not limited.
        rate: steps a second in Hz (trace), else 0; a clip may have its own, see :meth:`rate_of`.
        invalid: the value that marks a step without annotation (trace).
        ignore: labels whose clips are left out on purpose (classes; score: values).
        aliases: labels of another label set, each with the class that it is read as (classes).
    """

    name: str
    kind: str
    names: tuple[str, ...]
    columns: tuple[str, ...]
    range: tuple[float, float] | None = None
    rate: float = 0.0
    invalid: float | None = None
    ignore: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """N: classes, or values of a step."""
        return len(self.names)

    def rate_of(self, clip: Clip) -> float:
        """Steps a second of the trace of a clip in Hz: its own rate, else that of the label space; 0 for others."""
        return clip.rate if self.kind == "trace" and clip.rate is not None else self.rate

    def left_out(self, cells: Mapping[str, str]) -> str | None:
        """The label when its clip is to be left out, else None."""
        if not self.ignore or self.kind not in ("classes", "score"):
            return None
        found = [cells.get(column, "") for column in self.columns]
        if self.kind == "classes":
            return found[0] if found[0] in self.ignore else None
        ignored = {number(label) for label in self.ignore} - {None}
        return ", ".join(found) if all(number(cell) in ignored for cell in found) else None

    def parse(self, cells: Mapping[str, str], where: str) -> Label:
        """Read the label of a row.

        Args:
            cells: column → cell; ``self.columns`` are among them.
            where: ``path:line``, for messages.

        Returns:
            The class index; one float per name (multilabel: 0.0 or 1.0); the cell itself for a trace.

        Raises:
            InputError: the label is empty, no class, no number, or outside the range.
        """
        if self.kind == "classes":
            cell = cells[self.columns[0]]
            try:
                return self.names.index(dict(self.aliases).get(cell, cell))
            except ValueError:
                raise self._no_class(cell, where) from None
        if self.kind == "trace":
            cell = cells[self.columns[0]]
            if not cell:
                raise self._empty(self.columns[0], "the path of a trace file (.csv or .npy)", where)
            return cell
        read = self._read_flag if self.kind == "multilabel" else self._read_score
        return tuple(read(column, cells[column], where) for column in self.columns)

    def target(self, clip: Clip) -> Tensor:
        """The label of a clip as a tensor.

        Returns:
            LongTensor [] for classes; FloatTensor [N] for multilabel and score; FloatTensor [T, N] with NaN
            where there is no annotation for a trace.

        Raises:
            InputError: the trace file is missing or wrong.
        """
        if self.kind == "classes":
            return torch.tensor(clip.label, dtype=torch.long)
        if self.kind != "trace":
            return torch.tensor(clip.label, dtype=torch.float32)
        trace = read_trace(
            str(clip.label), self.names, where=clip.where, bounds=self.range, invalid=self.invalid
        )
        return torch.from_numpy(trace)

    def _no_class(self, cell: str, where: str) -> InputError:
        known = [*self.names, *(alias for alias, _ in self.aliases)]
        expected = f"{self.columns[0]} to be one of {', '.join(known)}"
        if not cell:
            return self._empty(self.columns[0], expected.split(" to be ", 1)[1], where)
        return InputError.of(
            where=where,
            expected=expected,
            found=f"'{cell}'",
            remedy=hint(
                cell,
                known,
                f"correct the label, or name it under 'classes', 'map' or 'ignore' of the label space "
                f"'{self.name}'",
            ),
        )

    @staticmethod
    def _empty(column: str, expected: str, where: str) -> InputError:
        return InputError.of(
            where=where,
            expected=f"{column} to be {expected}",
            found="an empty cell",
            remedy="write the label, or take the row out",
        )

    def _read_flag(self, column: str, cell: str, where: str) -> float:
        if cell not in ("0", "1"):
            if not cell:
                raise self._empty(column, "0 or 1", where)
            raise InputError.of(
                where=where,
                expected=f"{column} to be 0 or 1",
                found=f"'{cell}'",
                remedy="write 1 where the label applies, else 0",
            )
        return float(cell)

    def _read_score(self, column: str, cell: str, where: str) -> float:
        low, high = self.range or (None, None)
        expected = "a number" if low is None else f"a number from {low:g} to {high:g}"
        if not cell:
            raise self._empty(column, expected, where)
        value = number(cell)
        if value is None or (low is not None and high is not None and not low <= value <= high):
            remedy = (
                "write a number with a decimal point" if value is None else "correct the value or the range"
            )
            raise InputError.of(
                where=where, expected=f"{column} to be {expected}", found=f"'{cell}'", remedy=remedy
            )
        return value
